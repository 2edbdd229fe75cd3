// One machine: performance, logs, processes, ports.
import { Breadcrumb, BreadcrumbDivider, BreadcrumbItem, Button, Card, makeStyles, Select, Subtitle2, Tab, TabList, Text, Title2, tokens } from '@fluentui/react-components';
import { OrganizationRegular } from '@fluentui/react-icons';
import { useMemo, useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router-dom';
import { useAnswer, useRows } from '../../api/logs';
import Chart from '../../components/Chart';
import { ago } from '../../components/format';
import ResultGrid from '../../components/ResultGrid';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { MachineWorkItems } from '../itsm/MachineWorkItems';
import { useOpenItems } from '../itsm/openItems';
import { shareFragment } from '../logs/share';
import { ranges, timespanMilliseconds } from '../logs/timespan';
import { isHealthy } from './health';
import { literal, machineCharts, machineTables } from './queries';
import { StateBadge } from './StateBadge';

const useStyles = makeStyles({
  page: { padding: '16px 24px', display: 'flex', flexDirection: 'column', gap: '12px', height: '100%', boxSizing: 'border-box' },
  head: { display: 'flex', alignItems: 'center', gap: '12px', flexWrap: 'wrap' },
  spacer: { flex: 1 },
  muted: { color: tokens.colorNeutralForeground2 },
  charts: { display: 'grid', gridTemplateColumns: 'repeat(auto-fit, minmax(380px, 1fr))', gap: '12px' },
  chart: { height: '240px' },
  table: { flex: 1, minHeight: '300px', padding: 0, overflow: 'hidden' },
  list: { flexShrink: 0 },
  link: { color: tokens.colorBrandForegroundLink },
});

export default function MachinePage() {
  const styles = useStyles();
  const navigate = useNavigate();
  const { computer = '' } = useParams();
  const [view, setView] = useState('performance');
  const [timespan, setTimespan] = useState('PT1H');
  const heartbeat = useRows('machine', `Heartbeat | where Computer == ${literal(computer)} | summarize arg_max(TimeGenerated, *) by Computer`, 'P7D', 30);
  const last = heartbeat.data?.[0];
  const names = useMemo(() => [computer], [computer]);
  const workItems = useOpenItems(names);
  const table = machineTables.find((one) => one.value === view);
  return (
    <div className={styles.page}>
      <Breadcrumb aria-label="Path">
        <BreadcrumbItem><Link to="/machines" className={styles.link}>Machines</Link></BreadcrumbItem>
        <BreadcrumbDivider />
        <BreadcrumbItem>{computer}</BreadcrumbItem>
      </Breadcrumb>
      <div className={styles.head}>
        <Title2 as="h1">{computer}</Title2>
        {last && <StateBadge healthy={isHealthy(last, heartbeat.dataUpdatedAt)} />}
        {last && <Text className={styles.muted}>{String(last['OSName'] || last['OSType'] || '')} · heartbeat {ago(String(last['TimeGenerated']), heartbeat.dataUpdatedAt)}</Text>}
        <span className={styles.spacer} />
        <Button icon={<OrganizationRegular />} onClick={() => navigate(`/map?${new URLSearchParams({ focus: computer }).toString()}`)}>Show on the map</Button>
        <Select aria-label="Time range" value={timespan} onChange={(_event, data) => setTimespan(data.value)}>
          {ranges.map((range) => <option key={range.timespan} value={range.timespan}>{range.label}</option>)}
        </Select>
      </div>
      {heartbeat.isError && <ErrorState error={heartbeat.error} retry={() => void heartbeat.refetch()} />}
      {heartbeat.data?.length === 0 && <EmptyState title="This machine has not reported in seven days" hint="Check that its agent is running and can reach this server, or choose another machine." />}
      <div className={styles.head}>
        <TabList selectedValue={view} onTabSelect={(_event, data) => setView(String(data.value))}>
          <Tab value="performance">Performance</Tab>
          {machineTables.map((one) => <Tab key={one.value} value={one.value}>{one.label}</Tab>)}
          <Tab value="work-items">{workItems.items.length > 0 ? `Work items (${workItems.items.length})` : 'Work items'}</Tab>
        </TabList>
        <span className={styles.spacer} />
        {table && <Button appearance="subtle" onClick={() => navigate(`/logs${shareFragment({ query: table.query(computer), timespan })}`)}>Open in Logs</Button>}
      </div>
      {view === 'performance' && (
        <div className={styles.charts}>
          {machineCharts.map((chart) => <PerformanceChart key={chart.title} title={chart.title} query={chart.query(computer)} timespan={timespan} />)}
        </div>
      )}
      {view === 'work-items' && <Card className={styles.list}><MachineWorkItems names={names} /></Card>}
      {table && <MachineTablePart key={table.value} query={table.query(computer)} timespan={timespan} label={table.label} empty={table.empty} />}
    </div>
  );
}

const line = { visualization: 'timechart' };

function PerformanceChart({ title, query, timespan }: { title: string; query: string; timespan: string }) {
  const styles = useStyles();
  const answer = useAnswer(query, timespan);
  const table = answer.data?.tables[0];
  return (
    <Card>
      <Subtitle2 as="h2">{title}</Subtitle2>
      <div className={styles.chart}>
        {answer.isPending && <LoadingState label="Reading" />}
        {answer.isError && <ErrorState error={answer.error} retry={() => void answer.refetch()} />}
        {table && (table.rows.length > 0 ? <Chart table={table} render={line} kind="timechart" label={title} span={timespanMilliseconds(timespan)} /> : <EmptyState title="No data" hint="No such counter arrived in this time range. Choose a longer one, or check the agent’s counters." />)}
      </div>
    </Card>
  );
}

function MachineTablePart({ query, timespan, label, empty }: { query: string; timespan: string; label: string; empty: string }) {
  const styles = useStyles();
  const answer = useAnswer(query, timespan);
  const table = answer.data?.tables[0];
  if (answer.isPending) return <LoadingState label="Reading" />;
  if (answer.isError) return <ErrorState error={answer.error} retry={() => void answer.refetch()} />;
  if (!table || table.rows.length === 0) return <EmptyState title="Nothing here" hint={empty} />;
  return <Card className={styles.table}><ResultGrid table={table} label={label} /></Card>;
}
