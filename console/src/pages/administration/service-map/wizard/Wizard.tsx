// Add Workspace and Edit Workspace: five pages, each checked by the server before the next, then the first sync.
import { Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, makeStyles, mergeClasses, Spinner, Text, tokens } from '@fluentui/react-components';
import { CheckmarkCircleFilled } from '@fluentui/react-icons';
import { useMutation } from '@tanstack/react-query';
import { useRef, useState, type ComponentType } from 'react';
import { useNavigate } from 'react-router-dom';
import { connectionPath, discover, saveConnection, type Found, type WorkspaceConnection } from '../../../../api/serviceMap';
import { useAction, useGroup } from '../../../../api/management';
import { ErrorState } from '../../../../components/States';
import { syncWords } from '../sync';
import { bodyOf, discoverOf, draftOf, emptyDraft, fieldErrorOf, lackOf, settled, steps, usesStored, type Draft, type FieldError, type StepId } from './draft';
import { ConnectionPage, GroupsPage, PoolPage, ServersPage, SubscriptionPage, type PageProps } from './pages';

const useStyles = makeStyles({
  surface: { width: '900px', maxWidth: 'calc(100vw - 32px)' },
  content: { display: 'grid', gridTemplateColumns: '232px minmax(0, 1fr)', gap: '24px', height: '430px', paddingTop: '8px', '@media (max-width: 700px)': { gridTemplateColumns: 'minmax(0, 1fr)', height: 'auto' } },
  steps: { listStyle: 'none', margin: 0, padding: '0 16px 0 0', display: 'flex', flexDirection: 'column', gap: '2px', borderRight: `1px solid ${tokens.colorNeutralStroke2}` },
  step: { justifyContent: 'flex-start', width: '100%', fontWeight: tokens.fontWeightRegular, textAlign: 'left', paddingLeft: '6px' },
  now: { fontWeight: tokens.fontWeightSemibold, backgroundColor: tokens.colorNeutralBackground1Selected },
  number: { width: '20px', height: '20px', borderRadius: '10px', display: 'inline-flex', alignItems: 'center', justifyContent: 'center', fontSize: '11px', flexShrink: 0, border: `1px solid ${tokens.colorNeutralStroke1}`, boxSizing: 'border-box' },
  numberNow: { backgroundColor: tokens.colorBrandBackground, color: tokens.colorNeutralForegroundOnBrand, border: 'none' },
  done: { fontSize: '20px', color: tokens.colorPaletteGreenForeground1 },
  page: { display: 'flex', flexDirection: 'column', gap: '12px', minWidth: 0, overflow: 'auto', padding: '0 2px 4px' },
  outcome: { display: 'flex', flexDirection: 'column', gap: '12px', minHeight: '120px', paddingTop: '8px' },
  lack: { alignSelf: 'center', marginRight: '8px' },
});

const pages: Record<StepId, ComponentType<PageProps>> = {
  connection: ConnectionPage, subscription: SubscriptionPage, groups: GroupsPage, servers: ServersPage, pool: PoolPage,
};

interface WizardProps {
  /** The connection that is changed. */
  connection?: WorkspaceConnection;
  onDone: () => void;
}

export function Wizard({ connection, onDone }: WizardProps) {
  const styles = useStyles();
  const [draft, setDraft] = useState(() => (connection ? draftOf(connection) : emptyDraft()));
  const [at, setAt] = useState(0);
  const [reached, setReached] = useState(0);
  const [found, setFound] = useState<Found>({ subscriptions: [] });
  const [fieldError, setFieldError] = useState<FieldError>();
  const [saved, setSaved] = useState<WorkspaceConnection>();
  const page = useRef<HTMLDivElement>(null);
  const step = steps[at] ?? { id: 'connection', title: '' };
  const go = (to: number) => {
    setAt(to);
    setReached((was) => Math.max(was, to));
    page.current?.scrollTo(0, 0);
  };
  const refused = (error: unknown) => {
    const field = fieldErrorOf(error, draft.where);
    setFieldError(field);
    if (field) setAt(steps.findIndex((one) => one.id === field.step));
  };
  const ask = useMutation({ mutationFn: async () => {
    setFieldError(undefined);
    const isLater = step.id !== 'connection';
    const answer = await discover(discoverOf(draft, connection, isLater));
    // Asked for a workspace, the server answers with its subscription alone.
    setFound(isLater ? { ...answer, subscriptions: found.subscriptions } : { ...found, subscriptions: answer.subscriptions });
    if (!isLater) setDraft((was) => settled(was, answer.subscriptions));
    go(at + 1);
  } });
  const save = useAction(async () => {
    setFieldError(undefined);
    const kept = await saveConnection(connection?.id, bodyOf(draft, connection));
    if (connection || !kept) onDone();
    else setSaved(kept);
  });
  const set = (change: Partial<Draft>) => {
    setDraft((was) => ({ ...was, ...change }));
    if (fieldError && fieldError.field in change) setFieldError(undefined);
    // What was found belongs to what was asked: another place, person or workspace is asked again.
    const isOther = (names: (keyof Draft)[]) => names.some((name) => name in change);
    if (isOther(['where', 'endpoint', 'authority', 'trustedCertificates', 'tenant', 'applicationId', 'secret'])) setReached(0);
    else if (isOther(['subscription', 'resourceGroup', 'workspace'])) setReached((was) => Math.min(was, 1));
  };
  if (saved) return <FirstSync connection={saved} onDone={onDone} />;
  const isLast = at === steps.length - 1;
  const hasStoredSecret = draft.secret === '' ? usesStored(draft, connection) : (connection?.secretSet ?? false);
  const lack = lackOf(step.id, draft, hasStoredSecret);
  const isBusy = ask.isPending || save.isPending;
  const error = isLast || save.isError ? save.error : ask.error;
  const next = () => {
    if (lack !== undefined || isBusy) return;
    ask.reset();
    save.reset();
    if (isLast) save.mutate(undefined, { onError: refused });
    else if (step.id === 'connection' || step.id === 'subscription') ask.mutate(undefined, { onError: refused });
    else go(at + 1);
  };
  const Content = pages[step.id];
  return (
    <Dialog open onOpenChange={onDone}>
      <DialogSurface className={styles.surface}>
        <form onSubmit={(event) => { event.preventDefault(); next(); }}>
          <DialogBody>
            <DialogTitle>{connection ? `Edit ${connection.name}` : 'Add workspace'}</DialogTitle>
            <DialogContent className={styles.content}>
              <ol className={styles.steps} aria-label="Pages of the wizard">
                {steps.map((one, index) => (
                  <li key={one.id}>
                    <Button
                      appearance="subtle" className={mergeClasses(styles.step, index === at && styles.now)} disabled={index > reached || isBusy} onClick={() => setAt(index)} {...(index === at ? { 'aria-current': 'step' } : {})}
                      icon={index < reached && index !== at ? <CheckmarkCircleFilled className={styles.done} aria-label="done" /> : <span className={mergeClasses(styles.number, index === at && styles.numberNow)}>{index + 1}</span>}
                    >
                      {one.title}
                    </Button>
                  </li>
                ))}
              </ol>
              <div ref={page} className={styles.page} role="group" aria-label={step.title}>
                <Content draft={draft} set={set} found={found} hasStoredSecret={hasStoredSecret} errorOf={(...fields) => (fieldError && fields.includes(fieldError.field) ? fieldError.message : undefined)} />
                {error && !fieldError ? <ErrorState error={error} /> : null}
              </div>
            </DialogContent>
            <DialogActions fluid>
              {isBusy && <Spinner size="tiny" label={isLast ? 'Checking and saving' : 'Asking the server of the workspace'} />}
              {!isBusy && lack !== undefined && <Text size={200} className={styles.lack}>{lack}</Text>}
              <Button onClick={onDone}>Cancel</Button>
              <Button disabledFocusable={at === 0 || isBusy} onClick={() => setAt(at - 1)}>Back</Button>
              <Button appearance="primary" type="submit" disabledFocusable={lack !== undefined || isBusy}>{isLast ? (connection ? 'Save' : 'Add workspace') : 'Next'}</Button>
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}

/** The connection is there; what the first sync brings. */
function FirstSync({ connection, onDone }: { connection: WorkspaceConnection; onDone: () => void }) {
  const styles = useStyles();
  const navigate = useNavigate();
  const known = useGroup<WorkspaceConnection>(connectionPath(connection.id), 2);
  const sync = (known.data ?? connection).lastSync;
  const missing = known.data?.missing ?? [];
  const isRunning = !sync || sync.outcome === 'running' || sync.waiting === true;
  return (
    <Dialog open onOpenChange={onDone}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{`${connection.name} is connected`}</DialogTitle>
          <DialogContent className={styles.outcome}>
            {isRunning && <Spinner labelPosition="after" size="small" label="The first sync runs. It goes on when you close this." />}
            {sync?.outcome === 'succeeded' && <Text role="status">{syncWords(sync)}</Text>}
            {sync?.outcome === 'failed' && <ErrorState error={new Error(sync.error ?? 'The first sync failed.')} title="The first sync failed" />}
            {!isRunning && missing.length > 0 && <Text>{missing.length === 1 ? 'One machine of the map has no diagram yet' : `${missing.length} machines of the map have no diagram yet`}: the connection says what each lacks.</Text>}
            {known.isError && <ErrorState error={known.error} retry={() => void known.refetch()} />}
          </DialogContent>
          <DialogActions>
            <Button onClick={() => navigate('/service-map/servers')}>Open Service Map</Button>
            <Button appearance="primary" onClick={onDone}>Close</Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}

