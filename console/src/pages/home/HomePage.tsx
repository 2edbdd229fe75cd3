// Home: what is connected, what arrives, what to do next.
import { Card, CardHeader, makeStyles, Subtitle2, Table, TableBody, TableCell, TableHeader, TableHeaderCell, TableRow, Text, Title2, tokens } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, type ReactNode } from 'react';
import { Link } from 'react-router-dom';
import { request } from '../../api/client';
import { runQuery, useRows } from '../../api/logs';
import { useWorkspace } from '../../api/session';
import { ago, duration, formatCompact, formatNumber } from '../../components/format';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { shareFragment } from '../logs/share';
import { isHealthy } from '../machines/health';
import { machinesQuery } from '../machines/queries';

const Chart = lazy(() => import('../../components/Chart'));

const useStyles = makeStyles({
  page: { padding: '20px 24px', display: 'flex', flexDirection: 'column', gap: '16px', maxWidth: '1280px' },
  figures: { display: 'grid', gridTemplateColumns: 'repeat(auto-fit, minmax(200px, 1fr))', gap: '12px' },
  figure: { fontSize: '32px', lineHeight: '40px', fontWeight: 600, fontVariantNumeric: 'tabular-nums' },
  columns: { display: 'grid', gridTemplateColumns: 'minmax(0, 3fr) minmax(0, 2fr)', gap: '12px', '@media (max-width: 1000px)': { gridTemplateColumns: 'minmax(0, 1fr)' } },
  chart: { height: '260px' },
  muted: { color: tokens.colorNeutralForeground2 },
  next: { display: 'flex', flexDirection: 'column', gap: '14px', margin: 0, padding: 0, listStyleType: 'none' },
  link: { textDecorationLine: 'none', color: tokens.colorBrandForegroundLink, fontWeight: 600 },
});

// A minute without rows is a zero, not a gap that the line bridges.
const rowsPerMinute = `union *
| make-series Rows = count() default = 0 on TimeGenerated from bin(ago(1h), 1m) to now() step 1m
| mv-expand TimeGenerated to typeof(datetime), Rows to typeof(long)
| project TimeGenerated, Rows`;
const rowsByTable = 'union withsource = TableName * | summarize Rows = count(), Latest = max(TimeGenerated) by TableName | order by Rows desc';
const line = { visualization: 'areachart', legend: 'hidden' };

export default function HomePage() {
  const styles = useStyles();
  const workspace = useWorkspace();
  const machines = useRows('machines', machinesQuery, 'P1D', 30);
  const tables = useRows('tables', rowsByTable, 'P1D');
  const rate = useQuery({
    queryKey: ['rate', workspace.id],
    refetchInterval: 60_000,
    queryFn: ({ signal }) => runQuery(workspace.id, rowsPerMinute, 'PT1H', signal),
  });
  const about = useQuery({ queryKey: ['about'], refetchInterval: 60_000, queryFn: () => request<{ version: string; uptimeSeconds: number }>('/api/about') });
  const rateTable = rate.data?.tables[0];
  const healthy = (machines.data ?? []).filter((row) => isHealthy(row, machines.dataUpdatedAt)).length;
  const total = (tables.data ?? []).reduce((sum, row) => sum + Number(row['Rows']), 0);
  // The last whole minute: the one under way is not full yet.
  const lastMinute = rateTable?.rows.at(-2)?.[1] ?? rateTable?.rows.at(-1)?.[1];
  return (
    <div className={styles.page}>
      <div>
        <Title2 as="h1">Workspace {workspace.name}</Title2>
        {about.data && <Text block className={styles.muted}>Watchkeeper {about.data.version}, running for {duration(about.data.uptimeSeconds)}</Text>}
      </div>
      <div className={styles.figures}>
        <Figure label="Machines healthy" value={machines.data && `${healthy} of ${machines.data.length}`} failed={machines.isError} />
        <Figure label="Rows in the last minute" value={rate.data && formatCompact(Number(lastMinute ?? 0))} failed={rate.isError} />
        <Figure label="Rows in the last 24 hours" value={tables.data && formatCompact(total)} failed={tables.isError} />
        <Figure label="Tables with data" value={tables.data && String(tables.data.length)} failed={tables.isError} />
      </div>
      {machines.isError && <ErrorState error={machines.error} retry={() => void machines.refetch()} />}
      <div className={styles.columns}>
        <Part title="Rows per minute, last hour">
          <div className={styles.chart}>
            {rate.isPending && <LoadingState label="Counting" />}
            {rate.isError && <ErrorState error={rate.error} retry={() => void rate.refetch()} />}
            {rateTable && (rateTable.rows.some((row) => Number(row[1]) > 0)
              ? <Suspense fallback={<LoadingState label="Drawing" />}><Chart table={rateTable} render={line} kind="areachart" label="Rows per minute in the last hour" /></Suspense>
              : <EmptyState title="Nothing has arrived in the last hour" hint="Connect an agent, or send records to the ingestion API, and they are counted here." />)}
          </div>
        </Part>
        <Part title="What to do next">
          <ul className={styles.next}>
            {machines.data?.length === 0 && <Step to="/machines" title="Connect a machine">Install the agent on a machine; its first heartbeat arrives within a minute.</Step>}
            <Step to={`/logs${shareFragment({ query: 'Heartbeat\n| take 10' })}`} title="Search the logs">Begin with ten heartbeats. The editor completes tables, columns and functions.</Step>
            <Step to="/machines" title="Look at the machines">Which report, how busy they are, their processes and ports.</Step>
            <Step to={`/logs${shareFragment({ query: 'Perf\n| where CounterName == "% Processor Time"\n| summarize avg(CounterValue) by bin(TimeGenerated, 5m), Computer\n| render timechart' })}`} title="Draw a chart">End a query with render to see it as a picture.</Step>
          </ul>
        </Part>
      </div>
      <Part title="Tables, last 24 hours">
        {tables.isPending && <LoadingState label="Counting" />}
        {tables.isError && <ErrorState error={tables.error} retry={() => void tables.refetch()} />}
        {tables.data?.length === 0 && <EmptyState title="No table has data yet" hint="Tables appear with the first record that arrives." />}
        {tables.data && tables.data.length > 0 && (
          <Table size="small" aria-label="Tables with data">
            <TableHeader>
              <TableRow>
                <TableHeaderCell>Table</TableHeaderCell>
                <TableHeaderCell>Rows</TableHeaderCell>
                <TableHeaderCell>Latest record</TableHeaderCell>
              </TableRow>
            </TableHeader>
            <TableBody>
              {tables.data.map((row) => (
                <TableRow key={String(row['TableName'])}>
                  <TableCell><Link className={styles.link} to={`/logs${shareFragment({ query: `${String(row['TableName'])}\n| take 100` })}`}>{String(row['TableName'])}</Link></TableCell>
                  <TableCell>{formatNumber(Number(row['Rows']))}</TableCell>
                  <TableCell>{ago(String(row['Latest']), tables.dataUpdatedAt)}</TableCell>
                </TableRow>
              ))}
            </TableBody>
          </Table>
        )}
      </Part>
    </div>
  );
}

function Figure({ label, value, failed }: { label: string; value: string | undefined; failed: boolean }) {
  const styles = useStyles();
  return (
    <Card>
      <Text className={styles.muted}>{label}</Text>
      <span className={styles.figure}>{failed ? 'unknown' : (value ?? '…')}</span>
    </Card>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Card>
      <CardHeader header={<Subtitle2 as="h2">{title}</Subtitle2>} />
      {children}
    </Card>
  );
}

function Step({ to, title, children }: { to: string; title: string; children: ReactNode }) {
  const styles = useStyles();
  return (
    <li>
      <Link className={styles.link} to={to}>{title}</Link>
      <Text block className={styles.muted}>{children}</Text>
    </li>
  );
}
