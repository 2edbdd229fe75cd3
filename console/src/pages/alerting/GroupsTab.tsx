// Action groups: who is told of alerts, with a test that tells them of a sample.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, makeStyles, MessageBar, MessageBarBody, MessageBarTitle, Tooltip } from '@fluentui/react-components';
import { PeopleRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { groupsPath, testGroup, type Resource, type Tested } from '../../api/alerting';
import { useAction } from '../../api/management';
import { ActionButton } from '../../components/May';
import { ErrorState, LoadingState } from '../../components/States';
import { GroupDialog, receiversOf, type GroupProperties } from './GroupDialog';
import { ResourceTab } from './ResourceTab';

type Group = Resource<GroupProperties>;

const columns: ColDef<Group>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 140, initialSort: 'asc' },
  { colId: 'short', headerName: 'Short name', width: 130, valueGetter: ({ data }) => data?.properties.groupShortName },
  { colId: 'enabled', headerName: 'Enabled', width: 100, valueGetter: ({ data }) => (data?.properties.enabled === false ? 'No' : 'Yes') },
  { colId: 'receivers', headerName: 'Receivers', flex: 4, minWidth: 200, valueGetter: ({ data }) => (data ? receiversOf(data.properties).map((one) => `${one.name} (${one.kind})`).join(', ') : '') },
];

const useStyles = makeStyles({ results: { display: 'flex', flexDirection: 'column', gap: '8px', overflowWrap: 'anywhere' } });

export function GroupsTab() {
  const styles = useStyles();
  const [tested, setTested] = useState<{ name: string; results?: Tested[] }>();
  const test = useAction(async ({ key, name }: Group) => {
    setTested({ name });
    const results = await testGroup(key);
    setTested({ name, results });
  });
  const failed = (tested?.results ?? []).filter((one) => one.status !== 'Succeeded').length;
  return (
    <>
      <ResourceTab<Group>
        needs={{ write: 'Microsoft.Insights/actionGroups/write', remove: 'Microsoft.Insights/actionGroups/delete' }}
        label="Action groups" path={groupsPath} columns={columns} icon={<PeopleRegular />} newLabel="New action group"
        emptyTitle="No action groups" emptyHint="An action group says who is told of an alert and how: mail, webhooks, Teams, Slack, scripts, work items. Make one and name it in alert rules."
        more={(group) => (
          <Tooltip relationship="description" content="Tells every receiver of a sample">
            <ActionButton needs="Microsoft.Insights/createNotifications/write" size="small" disabledFocusable={!group || test.isPending} onClick={() => group && test.mutate(group)}>Test</ActionButton>
          </Tooltip>
        )}
        editor={(group, onDone) => <GroupDialog group={group} onDone={onDone} />}
      />
      {tested && (
        <Dialog open onOpenChange={() => setTested(undefined)}>
          <DialogSurface>
            <DialogBody>
              <DialogTitle>{test.isError ? 'The test failed' : !tested.results ? `Telling the receivers of ${tested.name}` : tested.results.length === 0 ? `${tested.name} has no receivers` : failed === 0 ? 'Every receiver was told' : `${failed} of ${tested.results.length} receivers could not be told`}</DialogTitle>
              <DialogContent className={styles.results}>
                {test.isPending && <LoadingState label="Every receiver is told of a sample; one that does not answer takes a while" />}
                {test.isError && <ErrorState error={test.error} />}
                {(tested.results ?? []).map((one) => (
                  <MessageBar key={one.receiver} intent={one.status === 'Succeeded' ? 'success' : 'error'} layout="multiline">
                    <MessageBarBody>
                      <MessageBarTitle>{one.receiver} · {one.type} · {one.status === 'Succeeded' ? 'told' : 'not told'}</MessageBarTitle>
                      <div>{one.target}, {one.durationMs} ms</div>
                      {one.detail && <div>{one.detail}</div>}
                    </MessageBarBody>
                  </MessageBar>
                ))}
              </DialogContent>
              <DialogActions><Button appearance="primary" onClick={() => setTested(undefined)}>Close</Button></DialogActions>
            </DialogBody>
          </DialogSurface>
        </Dialog>
      )}
    </>
  );
}
