// Configuration Manager: the sites whose collections become computer groups, with the numbers that open the log query.
import { Badge, Field, Input, Link as FluentLink, makeStyles, MessageBar, MessageBarBody, MessageBarTitle, ProgressBar, Subtitle1, Text, Textarea, tokens } from '@fluentui/react-components';
import { AddRegular, ArrowSyncRegular, DeleteRegular, DesktopRegular, EditRegular } from '@fluentui/react-icons';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useState } from 'react';
import { useNavigate } from 'react-router-dom';
import { request } from '../../../api/client';
import { connectionPath, connectionsPath, type ConfigurationManager } from '../../../api/configurationManager';
import { useAction, useGroup } from '../../../api/management';
import { DataGrid } from '../../../components/DataGrid';
import { ConfirmDialog, FormDialog } from '../../../components/Dialogs';
import { ActionButton } from '../../../components/May';
import { ago } from '../../../components/format';
import { Facts, Section, Spacer, Split, Toolbar } from '../../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../../components/States';
import { shareFragment } from '../../logs/share';
import { Properties } from './Properties';
import { Wizard } from './Wizard';
import { outcomeWords, statusWords, writtenWords } from './words';

const useStyles = makeStyles({
  numbers: { display: 'flex', gap: '28px' },
  number: { display: 'flex', flexDirection: 'column', alignItems: 'flex-start' },
  big: { fontSize: '28px', lineHeight: '34px', fontWeight: tokens.fontWeightSemibold },
  muted: { color: tokens.colorNeutralForeground2 },
  bar: { flexShrink: 0 },
});

const colours = { importing: 'brand', waiting: 'informative', imported: 'success', failed: 'danger', off: 'subtle' } as const;
/** A secret that ends so soon is spoken of. */
const warnDays = 30;
/** Computers that were not written, as many as stand beside a connection. */
const shownUnknown = 20;

const columns: ColDef<ConfigurationManager>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 130, initialSort: 'asc' },
  {
    field: 'status', headerName: 'Status', width: 120, valueGetter: ({ data }) => (data ? statusWords[data.status] : ''),
    cellRenderer: ({ data }: ICellRendererParams<ConfigurationManager>) => data && <Badge appearance="tint" color={colours[data.status]}>{statusWords[data.status]}</Badge>,
  },
  { colId: 'site', headerName: 'Site', width: 90, valueGetter: ({ data }) => data?.site.code },
  { field: 'address', headerName: 'Address', flex: 2, minWidth: 150 },
  { colId: 'collections', headerName: 'Collections', width: 110, filter: 'agNumberColumnFilter', valueGetter: ({ data }) => data?.outcome?.collections ?? 0 },
  { field: 'computers', headerName: 'Computers', width: 110, filter: 'agNumberColumnFilter' },
  { colId: 'last', headerName: 'Last import', width: 130, valueGetter: ({ data }) => (data?.lastSuccess ? ago(data.lastSuccess, Date.now()) : 'not yet') },
];

export function ConfigurationManagerTab() {
  const connections = useGroup<ConfigurationManager[]>(connectionsPath, 3);
  const [open, setOpen] = useState<string>();
  const [asking, setAsking] = useState<'add' | 'edit' | 'delete' | 'move'>();
  const list = connections.data ?? [];
  const chosen = list.find((one) => one.id === open) ?? (list.length === 1 ? list[0] : undefined);
  const run = useAction((connection: ConfigurationManager) => request(`${connectionPath(connection.id)}/run`, { method: 'POST' }));
  const remove = useAction(async (connection: ConfigurationManager) => {
    setAsking(undefined);
    setOpen(undefined);
    await request(connectionPath(connection.id), { method: 'DELETE' });
  });
  const done = () => setAsking(undefined);
  return (
    <>
      <Toolbar label="Connections">
        <ActionButton needs="Watchkeeper/managementGroups/configurationManager/write" size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('add')}>Connect Configuration Manager…</ActionButton>
        <Spacer />
        <ActionButton needs="Watchkeeper/managementGroups/configurationManager/sync/action" size="small" icon={<ArrowSyncRegular />} disabledFocusable={!chosen || run.isPending || chosen.status === 'importing'} onClick={() => { if (chosen) run.mutate(chosen); }}>Import now</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/configurationManager/write" size="small" icon={<EditRegular />} disabledFocusable={!chosen} onClick={() => setAsking('edit')}>Properties…</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/configurationManager/delete" size="small" icon={<DeleteRegular />} disabledFocusable={!chosen || remove.isPending} onClick={() => setAsking('delete')}>Delete…</ActionButton>
      </Toolbar>
      {run.isError && <ErrorState error={run.error} />}
      {remove.isError && <ErrorState error={remove.error} />}
      {connections.isPending && <LoadingState label="Reading the connections" />}
      {connections.isError && <ErrorState error={connections.error} retry={() => void connections.refetch()} />}
      {connections.data && (
        <Split label="Connection" side={chosen && <Panel connection={chosen} onMove={() => setAsking('move')} />}>
          {list.length === 0 ? (
            <EmptyState
              icon={<DesktopRegular />} title="Configuration Manager is not connected"
              hint="Connect the top-tier site of a hierarchy: its device collections become computer groups, which queries, alert rules, views and maintenance can name."
              action={<ActionButton needs="Watchkeeper/managementGroups/configurationManager/write" appearance="primary" onClick={() => setAsking('add')}>Connect Configuration Manager</ActionButton>}
            />
          ) : <DataGrid label="Connections to Configuration Manager" rows={list} columns={columns} rowId={(one) => one.id} openId={chosen?.id} onOpen={(one) => setOpen(one.id)} />}
        </Split>
      )}
      {asking === 'add' && <Wizard onDone={done} />}
      {chosen && asking === 'edit' && <Properties connection={chosen} onDone={done} />}
      {chosen && asking === 'move' && <MoveDialog connection={chosen} onDone={done} />}
      {chosen && asking === 'delete' && (
        <ConfirmDialog title={`Delete ${chosen.name}?`} confirm="Delete" onConfirm={() => remove.mutate(chosen)} onCancel={done}>
          Its computer groups go, and its secrets are deleted. The rows of the table ComputerGroup stay, and so does everything at the site.
        </ConfirmDialog>
      )}
    </>
  );
}

function Panel({ connection, onMove }: { connection: ConfigurationManager; onMove: () => void }) {
  const styles = useStyles();
  const navigate = useNavigate();
  const { outcome, problem, progress, secretDaysLeft: left } = connection;
  const number = (value: number, label: string, query: string | null) => (
    <div className={styles.number}>
      <FluentLink as="button" className={styles.big} aria-label={`${value.toLocaleString()} ${label}: open the log query`} disabled={query === null} onClick={() => { if (query !== null) navigate(`/logs${shareFragment({ query })}`); }}>{value.toLocaleString()}</FluentLink>
      <Text size={200} className={styles.muted}>{label}</Text>
    </div>
  );
  return (
    <>
      <Subtitle1 as="h2">{connection.name}</Subtitle1>
      {connection.description && <Text>{connection.description}</Text>}
      <div className={styles.numbers}>
        {number(connection.computers, 'computers', connection.computersQuery)}
        {number(outcome?.collections ?? 0, 'collections', connection.collectionsQuery)}
      </div>
      {progress && <Field validationState="none" validationMessage={`${progress.collectionsDone} of ${progress.collections} collections, ${progress.memberships.toLocaleString()} memberships`}><ProgressBar aria-label="The import" {...(progress.collections > 0 ? { value: progress.collectionsDone, max: progress.collections } : {})} /></Field>}
      {problem && (
        <MessageBar intent="error" layout="multiline" className={styles.bar}>
          <MessageBarBody><MessageBarTitle>{problem.message}</MessageBarTitle>{problem.advice}</MessageBarBody>
        </MessageBar>
      )}
      {problem?.part === 'Hierarchy' && <ActionButton needs="Watchkeeper/managementGroups/configurationManager/write" onClick={onMove}>Move the connection…</ActionButton>}
      {left !== null && left < warnDays && (
        <MessageBar intent={left < 0 ? 'error' : 'warning'} layout="multiline" className={styles.bar}>
          <MessageBarBody><MessageBarTitle>{left < 0 ? 'The secret key has ended' : `The secret key ends in ${left} ${left === 1 ? 'day' : 'days'}`}</MessageBarTitle>Make a new one for the application and enter it in the properties.</MessageBarBody>
        </MessageBar>
      )}
      <Section title="Last import">
        <Facts
          items={[
            ['Result', outcome ? outcomeWords(outcome) : 'none yet'], ['Took', outcome ? `${outcome.seconds.toFixed(1)} s` : ''],
            ['Succeeded', connection.lastSuccess ? ago(connection.lastSuccess, Date.now()) : ''], ['Next', connection.nextRun ? connection.nextRun.slice(0, 19).replace('T', ' ') : connection.import ? '' : 'switched off'],
          ]}
        />
      </Section>
      {connection.written.length > 0 && (
        <Section title="Written to the site">
          {connection.written.map((one) => (
            <div key={one.group}>
              <Facts items={[['Group', one.groupName || one.group], ['Collection', one.collectionId ? `${one.collection} (${one.collectionId})` : one.collection], ['Result', one.at ? writtenWords(one) : 'not yet'], ['Written', one.at ? ago(one.at, Date.now()) : '']]} />
              {one.problem && <MessageBar intent="error" layout="multiline" className={styles.bar}><MessageBarBody><MessageBarTitle>{one.problem.message}</MessageBarTitle>{one.problem.advice}</MessageBarBody></MessageBar>}
              {one.unknown.length > 0 && <Facts items={one.unknown.slice(0, shownUnknown).map((unknown) => [unknown.computer, unknown.reason])} />}
            </div>
          ))}
        </Section>
      )}
      <Section title="Connection">
        <Facts
          items={[
            ['Workspace', connection.workspace], ['Resource group', connection.resourceGroup], ['Subscription', connection.subscription], ['Site', `${connection.site.code} ${connection.site.name}`], ['Version', connection.site.version],
            ['Service connection point', connection.site.connectionPoint], ['Address', connection.address], ['Environment', connection.environment], ['Tenant', connection.tenantName || connection.tenantId], ['Client ID', connection.clientId],
            ['Secret key ends', connection.secretExpiry], ['Collections', connection.allCollections ? 'all' : String(connection.collections.length)], ['Every', `${connection.hours} hours`],
          ]}
        />
      </Section>
    </>
  );
}

/** The hierarchy has a new top: the connection goes there in one step. */
function MoveDialog({ connection, onDone }: { connection: ConfigurationManager; onDone: () => void }) {
  const [to, setTo] = useState({ address: '', userName: '', password: '', trusted: '' });
  const move = useAction(async () => {
    // what is left empty stays as it is
    const body = Object.fromEntries(Object.entries(to).map(([field, value]) => [field, value.trim()]).filter(([, value]) => value !== ''));
    await request(`${connectionPath(connection.id)}/move`, { method: 'POST', body });
    onDone();
  });
  const text = (field: keyof typeof to, label: string, placeholder: string, type: 'text' | 'password' = 'text') => (
    <Field label={label} required={field === 'address'}><Input type={type} autoComplete={type === 'password' ? 'new-password' : 'off'} value={to[field]} placeholder={placeholder} onChange={(_event, data) => setTo((was) => ({ ...was, [field]: data.value }))} /></Field>
  );
  return (
    <FormDialog title={`Move ${connection.name}`} submit="Move" ready={to.address.trim() !== ''} pending={move.isPending} error={move.error} onSubmit={() => move.mutate(undefined)} onCancel={onDone}>
      <Text>Collections, groups and what uses them stay as they are. What is left empty stays too.</Text>
      {text('address', 'Address of the central administration site', 'https://cas.contoso.com')}
      {connection.signIn !== 'Token' && text('userName', 'Another Windows account', connection.userName)}
      {connection.signIn !== 'Token' && text('password', 'Its password', '', 'password')}
      <Field label="Another certificate to trust"><Textarea rows={2} value={to.trusted} placeholder="-----BEGIN CERTIFICATE-----" onChange={(_event, data) => setTo((was) => ({ ...was, trusted: data.value }))} /></Field>
    </FormDialog>
  );
}
