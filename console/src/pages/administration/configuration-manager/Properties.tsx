// The properties of a connection: Azure Active Directory, the connection with its collections, and what is written to the
// site.
import { Button, Checkbox, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Input, makeStyles, Spinner, Tab, TabList, Text } from '@fluentui/react-components';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { request } from '../../../api/client';
import { connectionPath, verifyForm, type Collection, type ConfigurationManager } from '../../../api/configurationManager';
import { useAction, useGroup } from '../../../api/management';
import { Facts } from '../../../components/Page';
import { ErrorState, LoadingState } from '../../../components/States';
import { Choose } from '../service-map/wizard/Choose';
import { AppFields } from './AppFields';
import { Checks } from './Checks';
import { Targets } from './Targets';
import { formOf, sentOf, type Draft } from './words';

const useStyles = makeStyles({
  surface: { width: '760px', maxWidth: 'calc(100vw - 32px)' },
  page: { display: 'flex', flexDirection: 'column', gap: '12px', height: '500px', overflow: 'auto', padding: '4px' },
  verify: { display: 'flex', gap: '12px', alignItems: 'center' },
});

export function Properties({ connection, onDone }: { connection: ConfigurationManager; onDone: () => void }) {
  const styles = useStyles();
  const [tab, setTab] = useState('directory');
  const [draft, setDraft] = useState<Draft>(() => ({ ...formOf(connection), name: connection.name, secret: '', password: '' }));
  const set = (change: Partial<Draft>) => setDraft((was) => ({ ...was, ...change }));
  const collections = useGroup<Collection[]>(`${connectionPath(connection.id)}/collections`, 3600);
  const verify = useMutation({ mutationFn: () => verifyForm(sentOf(draft, connection)) });
  const save = useAction(async () => {
    await request(connectionPath(connection.id), { method: 'PATCH', body: sentOf(draft) });
    onDone();
  });
  const isBusy = verify.isPending || save.isPending;
  return (
    <Dialog open onOpenChange={onDone}>
      <DialogSurface className={styles.surface}>
        <form onSubmit={(event) => { event.preventDefault(); if (!isBusy && draft.name.trim() !== '') save.mutate(undefined); }}>
          <DialogBody>
            <DialogTitle>{`Properties of ${connection.name}`}</DialogTitle>
            <DialogContent>
              <TabList size="small" selectedValue={tab} onTabSelect={(_event, data) => setTab(String(data.value))}>
                <Tab value="directory">Azure Active Directory</Tab>
                <Tab value="connection">Connection properties</Tab>
                <Tab value="targets">Written to the site</Tab>
              </TabList>
              <div className={styles.page} role="tabpanel" aria-label={{ directory: 'Azure Active Directory', connection: 'Connection properties' }[tab] ?? 'Written to the site'}>
                {tab === 'directory' && (
                  <>
                    <Field label="Name" required><Input value={draft.name} onChange={(_event, data) => set({ name: data.value })} /></Field>
                    <AppFields draft={draft} set={set} stored />
                    <div className={styles.verify}>
                      <Button disabledFocusable={isBusy} onClick={() => verify.mutate()}>Verify</Button>
                      {verify.isPending && <Spinner size="tiny" label="Asking the site" />}
                      {verify.data?.verified && <Text weight="semibold" role="status">Successfully verified!</Text>}
                    </div>
                    {verify.isError && <ErrorState error={verify.error} />}
                    {verify.data && <Checks verified={verify.data} />}
                  </>
                )}
                {tab === 'connection' && (
                  <>
                    <Facts items={[['Azure subscription', connection.subscription], ['Azure resource group', connection.resourceGroup], ['Workspace', connection.workspace], ['Site', `${connection.site.code} ${connection.site.name}, ${connection.site.version}`], ['Service connection point', connection.site.connectionPoint]]} />
                    <Checkbox label="Import Configuration Manager collection memberships" checked={draft.import} onChange={(_event, data) => set({ import: data.checked === true })} />
                    <Checkbox label="Write a row of each device: operating system, last logon, hardware" checked={draft.inventory} onChange={(_event, data) => set({ inventory: data.checked === true })} />
                    <Field label="Every … hours"><Input type="number" min={1} max={24} value={String(draft.hours)} onChange={(_event, data) => set({ hours: Number(data.value) })} /></Field>
                    <Checkbox label="Import without an agent on the service connection point" checked={draft.withoutAgent} onChange={(_event, data) => set({ withoutAgent: data.checked === true })} />
                    <Checkbox label="Every device collection, also those that come" checked={draft.allCollections} onChange={(_event, data) => set({ allCollections: data.checked === true })} />
                    {!draft.allCollections && collections.isPending && <LoadingState label="Reading the collections" />}
                    {!draft.allCollections && collections.isError && <ErrorState error={collections.error} retry={() => void collections.refetch()} />}
                    {!draft.allCollections && collections.data && (
                      <Choose
                        label="Device collections" nothing="The site has no device collection." chosen={draft.collections} onChange={(chosen) => set({ collections: chosen })}
                        choices={collections.data.map((one) => ({ id: one.id, name: one.name, note: `${one.members.toLocaleString()} members, ${one.id}` }))}
                      />
                    )}
                  </>
                )}
                {tab === 'targets' && <Targets value={draft.targets} collections={collections.data ?? []} onChange={(targets) => set({ targets })} />}
                {save.isError && <ErrorState error={save.error} />}
              </div>
            </DialogContent>
            <DialogActions>
              {save.isPending && <Spinner size="tiny" label="Checking and saving" />}
              <Button onClick={onDone}>Cancel</Button>
              <Button appearance="primary" type="submit" disabledFocusable={isBusy || draft.name.trim() === ''}>Save</Button>
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}
