// What service desks have: connections and their status, work items by state, priority, type and time, configuration
// items with the most, computers with open ones. Every number leads to the records that it counts.
import { Button, Card, makeStyles, mergeClasses, Subtitle2, Text, tokens, Tooltip } from '@fluentui/react-components';
import { DesktopRegular, DocumentSearchRegular, OrganizationRegular, TicketDiagonalRegular } from '@fluentui/react-icons';
import { lazy, Suspense, useState, type ReactNode } from 'react';
import { Link, useNavigate } from 'react-router-dom';
import { itsmPath, type ItsmConnection } from '../../../api/itsm';
import { useAnswer, useRows, type Row } from '../../../api/logs';
import { useGroup } from '../../../api/management';
import { formatNumber } from '../../../components/format';
import { Spacer, Toolbar } from '../../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../../components/States';
import { shareFragment } from '../../logs/share';
import { TimePicker } from '../../logs/TimePicker';
import { longRanges, timespanMilliseconds } from '../../logs/timespan';
import { machinesQuery } from '../../machines/queries';
import { bounds, cameOrWentQuery, computersQuery, connectorLogQuery, connectorQuery, countsQuery, stepOf, timesQuery } from '../queries';
import { typeWords } from '../words';
import { BarList, type BarItem } from './BarList';
import { ConnectorStatus } from './ConnectorStatus';
import { barsBy, countsOf, listLink, sumOf } from './counts';

const Chart = lazy(() => import('../../../components/Chart'));

const useStyles = makeStyles({
  page: { flex: 1, minHeight: 0, overflow: 'auto', display: 'flex', flexDirection: 'column', gap: '12px', padding: '2px', margin: '-2px' },
  figures: { display: 'grid', gridTemplateColumns: 'repeat(auto-fit, minmax(150px, 1fr))', gap: '12px', flexShrink: 0 },
  tile: { textDecorationLine: 'none', color: 'inherit', display: 'block', borderRadius: tokens.borderRadiusMedium },
  card: { height: '100%', boxSizing: 'border-box', gap: '4px', minWidth: 0 },
  figure: { fontSize: '24px', lineHeight: '32px', fontWeight: 600, fontVariantNumeric: 'tabular-nums' },
  bad: { color: tokens.colorPaletteRedForeground1 },
  muted: { color: tokens.colorNeutralForeground2 },
  wide: { display: 'grid', gridTemplateColumns: 'minmax(0, 3fr) minmax(0, 2fr)', gap: '12px', flexShrink: 0, '@media (max-width: 1000px)': { gridTemplateColumns: 'minmax(0, 1fr)' } },
  pair: { display: 'grid', gridTemplateColumns: 'repeat(auto-fit, minmax(300px, 1fr))', gap: '12px', flexShrink: 0 },
  column: { display: 'flex', flexDirection: 'column', gap: '12px', '& > :first-child': { flex: 1 }, '& > :last-child': { height: 'auto' } },
  chart: { height: '230px', cursor: 'pointer' },
  head: { display: 'flex', alignItems: 'center', gap: '8px' },
  title: { flex: 1, minWidth: 0, margin: 0 },
});

const mostBars = 10;
const line = { visualization: 'timechart' };

export function DashboardTab() {
  const styles = useStyles();
  const navigate = useNavigate();
  const [timespan, setTimespan] = useState('P30D');
  const connections = useGroup<ItsmConnection[]>(itsmPath, 10);
  const counts = useRows('itsm counts', countsQuery, timespan, 30);
  const computers = useRows('itsm computers', computersQuery, timespan, 30);
  const log = useRows('itsm log', connectorQuery, timespan, 30);
  if (connections.isPending || counts.isPending) return <LoadingState label="Reading work items" />;
  if (connections.isError) return <ErrorState error={connections.error} retry={() => void connections.refetch()} />;
  if (counts.isError) return <ErrorState error={counts.error} retry={() => void counts.refetch()} />;
  const all = countsOf(counts.data);
  if (connections.data.length === 0 && all.length === 0 && log.data?.length === 0) {
    return (
      <EmptyState
        icon={<TicketDiagonalRegular />} title="No service desk is connected"
        hint="Connect ServiceNow, Cherwell, Request Tracker or another product: its incidents and change requests are counted here, by state, priority and computer."
        action={<Button appearance="primary" onClick={() => navigate('/itsm/connections')}>Go to ITSM connections</Button>}
      />
    );
  }
  const legend = [{ shade: 'first' as const, name: 'Incidents' }, { shade: 'second' as const, name: 'Change requests' }];
  const both = all.some((one) => one.type === 'ChangeRequest') ? { legend } : {};
  const openComputers = (computers.data ?? []).filter((row) => Number(row['Open']) > 0);
  const failing = connections.data.filter((one) => one.status === 'failed').length;
  const errors = (log.data ?? []).reduce((sum, row) => sum + Number(row['Errors']), 0);
  return (
    <>
      <Toolbar label="Time range">
        <Text className={styles.muted}>Work items that came or changed in this time, as they were last</Text>
        <Spacer />
        <TimePicker timespan={timespan} onChange={setTimespan} known={longRanges} />
      </Toolbar>
      <div className={styles.page}>
        <div className={styles.figures}>
          <Figure
            label="Connector status" to={`/logs${shareFragment({ query: connectorLogQuery(), timespan })}`} bad={failing > 0}
            value={connections.data.length === 0 ? 'no connection' : failing > 0 ? `${failing} of ${connections.data.length} failed` : `${connections.data.length} connected`}
            note={log.data ? `${formatNumber(errors)} ${errors === 1 ? 'error' : 'errors'} in the connector log` : 'Reading the connector log'}
          />
          <Figure label="Open incidents" to={listLink({ type: 'Incident', open: true }, timespan)} value={formatNumber(sumOf(all, (one) => one.isOpen && one.type === 'Incident'))} note={`of ${formatNumber(sumOf(all, (one) => one.type === 'Incident'))}`} />
          <Figure label="Open change requests" to={listLink({ type: 'ChangeRequest', open: true }, timespan)} value={formatNumber(sumOf(all, (one) => one.isOpen && one.type === 'ChangeRequest'))} note={`of ${formatNumber(sumOf(all, (one) => one.type === 'ChangeRequest'))}`} />
          <Figure label="Work items" to={listLink({}, timespan)} value={formatNumber(sumOf(all))} note="of all types" />
        </div>
        <div className={styles.wide}>
          <Times timespan={timespan} />
          <Part title="Connections" action={<Button size="small" appearance="subtle" onClick={() => navigate('/itsm/connections')}>Manage</Button>}>
            <ConnectorStatus connections={connections.data} log={log.data ?? []} timespan={timespan} />
          </Part>
        </div>
        <div className={styles.pair}>
          <Part title="By state"><BarList label="Work items by state" items={barsBy(all, 'state', timespan).slice(0, 14)} {...both} /></Part>
          <div className={styles.column}>
            <Part title="By priority"><BarList label="Work items by priority" items={barsBy(all, 'priority', timespan).slice(0, 14)} {...both} /></Part>
            <Part title="By type"><BarList label="Work items by type" items={barsBy(all, 'type', timespan, (type) => typeWords[type] ?? type)} /></Part>
          </div>
        </div>
        <div className={styles.pair}>
          <Part title="Top configuration items" action={<OpenQuery query={computersQuery} timespan={timespan} />}>
            {computers.isError && <ErrorState error={computers.error} />}
            {computers.data && <BarList label="Top configuration items" items={computers.data.slice(0, mostBars).map((row) => computerBar(row, timespan, false))} legend={[{ shade: 'first', name: 'Open' }, { shade: 'rest', name: 'Done' }]} />}
          </Part>
          <Part title={`Computers with open work items${openComputers.length > 0 ? ` (${openComputers.length})` : ''}`} action={<OpenQuery query={`${computersQuery}\n| where Open > 0\n| order by Open desc`} timespan={timespan} />}>
            {computers.data && <OpenComputers rows={openComputers} timespan={timespan} />}
          </Part>
        </div>
      </div>
    </>
  );
}

function computerBar(row: Row, timespan: string, onlyOpen: boolean): BarItem {
  const name = String(row['Computer']);
  const open = Number(row['Open']);
  return {
    key: name, name, parts: [{ shade: 'first', value: open }, ...(onlyOpen ? [] : [{ shade: 'rest' as const, value: Number(row['Count']) - open }])],
    to: listLink({ computer: name, ...(onlyOpen ? { open: true } : {}) }, timespan),
  };
}

/** Those with the most, each with a way to its page and to its place on the map where it is a machine of ours. */
function OpenComputers({ rows, timespan }: { rows: readonly Row[]; timespan: string }) {
  const navigate = useNavigate();
  const machines = useRows('machines', machinesQuery, 'P1D');
  const known = new Map((machines.data ?? []).map((row) => [String(row['Computer']).toLowerCase(), String(row['Computer'])]));
  const most = [...rows].sort((a, b) => Number(b['Open']) - Number(a['Open'])).slice(0, mostBars);
  return (
    <BarList
      label="Computers with open work items" unit="open work items"
      items={most.map((row) => {
        const bar = computerBar(row, timespan, true);
        const machine = known.get(bar.name.toLowerCase());
        const more = machine !== undefined && (
          <>
            <Tooltip relationship="label" content={`Open ${machine}`}><Button size="small" appearance="subtle" icon={<DesktopRegular />} onClick={() => navigate(`/machines/${encodeURIComponent(machine)}`)} /></Tooltip>
            <Tooltip relationship="label" content={`Show ${machine} on the map`}><Button size="small" appearance="subtle" icon={<OrganizationRegular />} onClick={() => navigate(`/map?${new URLSearchParams({ focus: machine }).toString()}`)} /></Tooltip>
          </>
        );
        return more ? { ...bar, more } : bar;
      })}
    />
  );
}

/** Opened and done over time; a click in it lists what came or went in that step. */
function Times({ timespan }: { timespan: string }) {
  const styles = useStyles();
  const navigate = useNavigate();
  const step = stepOf(timespan);
  const answer = useAnswer(timesQuery(timespan, step.kql), timespan);
  const table = answer.data?.tables[0];
  const span = timespanMilliseconds(timespan);
  const list = (range: { from: string; to: string }) => navigate(`/logs${shareFragment({ query: cameOrWentQuery(range), timespan })}`);
  const pick = (at: number) => {
    const from = Math.floor(at / step.milliseconds) * step.milliseconds;
    list({ from: `datetime(${new Date(from).toISOString()})`, to: `datetime(${new Date(from + step.milliseconds).toISOString()})` });
  };
  return (
    <Part title={`Opened and done, by the ${step.kql === '1h' ? 'hour' : 'day'}`} action={<Button size="small" appearance="subtle" icon={<DocumentSearchRegular />} aria-label="Open opened and done in Logs" onClick={() => list(bounds(timespan))} />}>
      <div className={styles.chart}>
        {answer.isPending && <LoadingState label="Counting" />}
        {answer.isError && <ErrorState error={answer.error} retry={() => void answer.refetch()} />}
        {table && (table.rows.some((row) => Number(row[2]) > 0)
          ? <Suspense fallback={<LoadingState label="Drawing" />}><Chart table={table} render={line} kind="timechart" label="Work items opened and done over time" onPick={pick} {...(span === undefined ? {} : { span })} /></Suspense>
          : <EmptyState title="Nothing was opened or done" hint="No work item came or went in this time range. Choose a longer one." />)}
      </div>
    </Part>
  );
}

function Figure({ label, value, note, to, bad }: { label: string; value: string; note: string; to: string; bad?: boolean }) {
  const styles = useStyles();
  return (
    <Link to={to} className={styles.tile} aria-label={`${label}: ${value}, ${note}`}>
      <Card className={styles.card} role="presentation">
        <Text className={styles.muted}>{label}</Text>
        <span className={mergeClasses(styles.figure, bad && styles.bad)}>{value}</span>
        <Text size={200} className={styles.muted}>{note}</Text>
      </Card>
    </Link>
  );
}

function Part({ title, action, children }: { title: string; action?: ReactNode; children: ReactNode }) {
  const styles = useStyles();
  return (
    <Card className={styles.card} role="region" aria-label={title}>
      <div className={styles.head}><Subtitle2 as="h2" className={styles.title}>{title}</Subtitle2>{action}</div>
      {children}
    </Card>
  );
}

function OpenQuery({ query, timespan }: { query: string; timespan: string }) {
  const navigate = useNavigate();
  return <Button size="small" appearance="subtle" icon={<DocumentSearchRegular />} aria-label="Open the query in Logs" onClick={() => navigate(`/logs${shareFragment({ query, timespan })}`)} />;
}
