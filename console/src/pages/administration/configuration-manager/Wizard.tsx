// Configure Azure Services: name, app with Verify, configuration with the choice of collections, summary, progress, completion.
import { Button, Checkbox, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Field, Input, makeStyles, mergeClasses, MessageBar, MessageBarBody, ProgressBar, Spinner, Text, Textarea, tokens } from '@fluentui/react-components';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { request } from '../../../api/client';
import { collectionsOf, connectionPath, connectionsPath, verifyForm, type Collection, type ConfigurationManager, type Verified } from '../../../api/configurationManager';
import { useAction, useGroup } from '../../../api/management';
import { Facts } from '../../../components/Page';
import { ErrorState } from '../../../components/States';
import { Choose } from '../service-map/wizard/Choose';
import { AppFields } from './AppFields';
import { Checks } from './Checks';
import { emptyForm, lackOf, outcomeWords, sentOf, steps, type Draft } from './words';

const useStyles = makeStyles({
  surface: { width: '900px', maxWidth: 'calc(100vw - 32px)' },
  content: { display: 'grid', gridTemplateColumns: '176px minmax(0, 1fr)', gap: '20px', height: '480px', paddingTop: '8px' },
  steps: { listStyle: 'none', margin: 0, padding: '4px 12px 0 0', display: 'flex', flexDirection: 'column', gap: '10px', borderRight: `1px solid ${tokens.colorNeutralStroke2}` },
  now: { fontWeight: tokens.fontWeightSemibold },
  later: { color: tokens.colorNeutralForeground2 },
  page: { display: 'flex', flexDirection: 'column', gap: '12px', minWidth: 0, overflow: 'auto', padding: '0 4px 4px' },
  verify: { display: 'flex', gap: '12px', alignItems: 'center' },
  done: { display: 'flex', flexDirection: 'column', gap: '12px', paddingTop: '8px', minHeight: '120px' },
});

export function Wizard({ onDone }: { onDone: () => void }) {
  const styles = useStyles();
  const [draft, setDraft] = useState<Draft>({ ...emptyForm, name: '', secret: '', password: '' });
  const [at, setAt] = useState(0);
  const [found, setFound] = useState<Collection[]>([]);
  const [saved, setSaved] = useState<ConfigurationManager>();
  const verify = useMutation({ mutationFn: () => verifyForm(sentOf(draft)) });
  const read = useMutation({ mutationFn: async () => {
    const collections = await collectionsOf(sentOf(draft));
    setFound(collections ?? []);
    setAt(2);
  } });
  const save = useAction(async () => setSaved(await request<ConfigurationManager>(connectionsPath, { method: 'POST', body: sentOf(draft) })));
  const set = (change: Partial<Draft>) => {
    setDraft((was) => ({ ...was, ...change }));
    // what was verified was another form
    if (!('name' in change || 'description' in change || 'collections' in change || 'allCollections' in change)) verify.reset();
  };
  if (saved) return <Completion connection={saved} onDone={onDone} />;
  const verified: Verified | undefined = verify.data ?? undefined;
  const isBusy = verify.isPending || read.isPending || save.isPending;
  const lack = lackOf(at, draft) ?? (at === 1 && verified?.verified !== true ? 'Verify it first.' : undefined);
  const next = () => {
    if (lack !== undefined || isBusy) return;
    if (at === 1) read.mutate();
    else if (at === steps.length - 1) save.mutate(undefined);
    else setAt(at + 1);
  };
  const names = new Map(found.map((one) => [one.id, one.name]));
  return (
    <Dialog open onOpenChange={onDone}>
      <DialogSurface className={styles.surface}>
        <form onSubmit={(event) => { event.preventDefault(); next(); }}>
          <DialogBody>
            <DialogTitle>Connect Configuration Manager</DialogTitle>
            <DialogContent className={styles.content}>
              <ol className={styles.steps} aria-label="Pages of the wizard">
                {steps.map((title, index) => <li key={title} className={mergeClasses(index === at && styles.now, index > at && styles.later)} {...(index === at ? { 'aria-current': 'step' as const } : {})}>{`${index + 1}. ${title}`}</li>)}
              </ol>
              <div className={styles.page} role="group" aria-label={steps[at] ?? ''}>
                {at === 0 && (
                  <>
                    <Field label="Name" required hint="Of the connection, for instance of the site"><Input value={draft.name} onChange={(_event, data) => set({ name: data.value })} /></Field>
                    <Field label="Description"><Textarea value={draft.description} rows={3} onChange={(_event, data) => set({ description: data.value })} /></Field>
                    <Text>Before you go on: the site has version 1606 or later and a service connection point in online mode; it is the top-tier site of its hierarchy; the agent on the service connection point reports to this workspace; the application has the role Contributor in the workspace.</Text>
                  </>
                )}
                {at === 1 && (
                  <>
                    <AppFields draft={draft} set={set} stored={false} />
                    <Checkbox label="Import without an agent on the service connection point" checked={draft.withoutAgent} onChange={(_event, data) => set({ withoutAgent: data.checked === true })} />
                    <div className={styles.verify}>
                      <Button disabledFocusable={lackOf(1, draft) !== undefined || isBusy} onClick={() => verify.mutate()}>Verify</Button>
                      {verify.isPending && <Spinner size="tiny" label="Asking the site" />}
                      {verified?.verified && <Text weight="semibold" role="status">Successfully verified!</Text>}
                    </div>
                    {verify.isError && <ErrorState error={verify.error} />}
                    {verified && <Checks verified={verified} />}
                    {read.isError && <ErrorState error={read.error} />}
                  </>
                )}
                {at === 2 && (
                  <>
                    <Facts
                      items={[
                        ['Azure subscription', verified?.subscription],
                        ['Azure resource group', verified?.resourceGroup],
                        ['Workspace', verified?.workspace],
                        ['Site', verified ? `${verified.site.code} ${verified.site.name}, ${verified.site.version}` : ''],
                      ]}
                    />
                    {verified?.workspace === '' && <MessageBar intent="warning"><MessageBarBody>The fields are empty: the application does not have the rights required in the workspace.</MessageBarBody></MessageBar>}
                    <Checkbox label="Every device collection, also those that come" checked={draft.allCollections} onChange={(_event, data) => set({ allCollections: data.checked === true })} />
                    {!draft.allCollections && (
                      <Choose
                        label="Device collections" nothing="The site has no device collection." chosen={draft.collections} onChange={(collections) => set({ collections })}
                        choices={found.map((one) => ({ id: one.id, name: one.name, note: `${one.members.toLocaleString()} members, ${one.id}` }))}
                      />
                    )}
                  </>
                )}
                {at === 3 && (
                  <>
                    <Facts
                      items={[
                        ['Name', draft.name], ['Description', draft.description], ['Environment', draft.environment], ['Application', draft.applicationName || draft.clientId], ['Site', `${verified?.site.code ?? ''} at ${draft.address}`],
                        ['Workspace', verified?.workspace],
                        ['Collections', draft.allCollections ? 'all' : draft.collections.map((id) => names.get(id) ?? id).join(', ') || 'none yet'],
                        ['Import', `every ${draft.hours} hours`],
                      ]}
                    />
                    <Field label="Import Configuration Manager collection memberships every … hours">
                      <Input type="number" min={1} max={24} value={String(draft.hours)} onChange={(_event, data) => set({ hours: Number(data.value) })} />
                    </Field>
                    {save.isPending && <ProgressBar aria-label="Creating and configuring the connection" />}
                    {save.isError && <ErrorState error={save.error} />}
                  </>
                )}
              </div>
            </DialogContent>
            <DialogActions fluid>
              {read.isPending && <Spinner size="tiny" label="Reading the collections" />}
              {!isBusy && lack !== undefined && <Text size={200}>{lack}</Text>}
              <Button onClick={onDone}>Cancel</Button>
              <Button disabledFocusable={at === 0 || isBusy} onClick={() => setAt(at - 1)}>Back</Button>
              <Button appearance="primary" type="submit" disabledFocusable={lack !== undefined || isBusy}>{at === steps.length - 1 ? 'Connect' : 'Next'}</Button>
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}

/** The connection is there; how the first import goes. */
function Completion({ connection, onDone }: { connection: ConfigurationManager; onDone: () => void }) {
  const styles = useStyles();
  const known = useGroup<ConfigurationManager>(connectionPath(connection.id), 1);
  const now = known.data ?? connection;
  const { progress, outcome, problem } = now;
  return (
    <Dialog open onOpenChange={onDone}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{`${connection.name} is connected`}</DialogTitle>
          <DialogContent className={styles.done}>
            {(now.status === 'importing' || now.status === 'waiting') && (
              <Field validationMessage={progress ? `${progress.collectionsDone} of ${progress.collections} collections, ${progress.memberships.toLocaleString()} memberships` : 'The import begins'} validationState="none">
                <ProgressBar aria-label="The first import" {...(progress && progress.collections > 0 ? { value: progress.collectionsDone, max: progress.collections } : {})} />
              </Field>
            )}
            {now.status === 'imported' && outcome && <Text role="status">{outcomeWords(outcome)}.</Text>}
            {problem && <ErrorState title={problem.message} error={new Error(problem.advice)} />}
          </DialogContent>
          <DialogActions><Button appearance="primary" onClick={onDone}>Close</Button></DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
