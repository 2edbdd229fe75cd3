// Action groups: who is told of alerts, with a test that tells them of a sample.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, MessageBar, MessageBarBody, MessageBarTitle, Tooltip } from '@fluentui/react-components';
import { PeopleRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { groupsPath, testGroup, type Resource, type Tested } from '../../api/alerting';
import { useAction } from '../../api/management';
import { GroupDialog, receiversOf, type GroupProperties } from './GroupDialog';
import { ResourceTab } from './ResourceTab';

type Group = Resource<GroupProperties>;

const columns: ColDef<Group>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 140, initialSort: 'asc' },
  { colId: 'short', headerName: 'Short name', width: 130, valueGetter: ({ data }) => data?.properties.groupShortName },
  { colId: 'enabled', headerName: 'Enabled', width: 100, valueGetter: ({ data }) => (data?.properties.enabled === false ? 'No' : 'Yes') },
  { colId: 'receivers', headerName: 'Receivers', flex: 4, minWidth: 200, valueGetter: ({ data }) => (data ? receiversOf(data.properties).map((one) => `${one.name} (${one.kind})`).join(', ') : '') },
];

export function GroupsTab() {
  const [results, setResults] = useState<Tested[]>();
  const test = useAction(async (key: string) => setResults(await testGroup(key)));
  return (
    <>
      <ResourceTab<Group>
        label="Action groups" path={groupsPath} columns={columns} icon={<PeopleRegular />} newLabel="New action group"
        emptyTitle="No action groups" emptyHint="An action group says who is told of an alert and how: mail, webhooks, Teams, Slack, scripts, work items. Make one and name it in alert rules."
        more={(group) => (
          <Tooltip relationship="description" content="Tells every receiver of a sample">
            <Button size="small" disabledFocusable={!group || test.isPending} onClick={() => group && test.mutate(group.key)}>Test</Button>
          </Tooltip>
        )}
        editor={(group, onDone) => <GroupDialog group={group} onDone={onDone} />}
      />
      {results && (
        <Dialog open onOpenChange={() => setResults(undefined)}>
          <DialogSurface>
            <DialogBody>
              <DialogTitle>{results.every((one) => one.status === 'Succeeded') ? 'Every receiver was told' : 'Some receivers could not be told'}</DialogTitle>
              <DialogContent>
                {results.map((one) => (
                  <MessageBar key={one.receiver} intent={one.status === 'Succeeded' ? 'success' : 'error'} layout="multiline">
                    <MessageBarBody><MessageBarTitle>{one.receiver} · {one.type}</MessageBarTitle>{one.detail || `${one.target}, ${one.durationMs} ms`}</MessageBarBody>
                  </MessageBar>
                ))}
              </DialogContent>
              <DialogActions><Button appearance="primary" onClick={() => setResults(undefined)}>Close</Button></DialogActions>
            </DialogBody>
          </DialogSurface>
        </Dialog>
      )}
    </>
  );
}
