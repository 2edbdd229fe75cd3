// Counters of computers over time: which are there, which are drawn.
import { Button, Caption1, Checkbox, makeStyles, SearchBox, Select, Subtitle2, tokens } from '@fluentui/react-components';
import { ArrowTrendingLinesRegular } from '@fluentui/react-icons';
import { useMemo, useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router-dom';
import { rowsOf, type QueryAnswer } from '../../api/logs';
import { segment, useGroup } from '../../api/management';
import Chart from '../../components/Chart';
import { formatCompact } from '../../components/format';
import { ActionButton } from '../../components/May';
import { Spacer, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { shareFragment } from '../logs/share';
import { ranges, timespanMilliseconds } from '../logs/timespan';
import { chartQuery, chartsOf, firstChoice, keyOf, stepMinutes, valuesPath, type Counter, type CounterChart } from './counters';

const useStyles = makeStyles({
  body: { flex: 1, minHeight: '300px', display: 'flex', border: `1px solid ${tokens.colorNeutralStroke2}`, borderRadius: tokens.borderRadiusMedium, backgroundColor: tokens.colorNeutralBackground1, overflow: 'hidden' },
  counters: { width: '320px', maxWidth: '40%', flexShrink: 0, overflow: 'auto', padding: '10px 8px 10px 12px', boxSizing: 'border-box', borderRight: `1px solid ${tokens.colorNeutralStroke2}` },
  search: { width: '100%', maxWidth: '100%', marginBottom: '6px' },
  object: { margin: '8px 0 0' },
  line: { display: 'flex', alignItems: 'center', gap: '4px' },
  name: { flex: 1, minWidth: 0, overflowWrap: 'anywhere', '& label': { overflowWrap: 'anywhere' } },
  muted: { color: tokens.colorNeutralForeground2, whiteSpace: 'nowrap' },
  charts: { flex: 1, minWidth: 0, overflow: 'auto', padding: '10px 14px', display: 'flex', flexDirection: 'column', gap: '14px' },
  head: { display: 'flex', alignItems: 'center', gap: '8px' },
  title: { flex: 1, minWidth: 0, overflowWrap: 'anywhere', margin: 0 },
  chart: { height: '230px' },
});

interface PerformanceViewProps {
  /** An object: its computer is meant; of a group, the computers of its members. */
  of: string;
  /** Only counters of this instance are listed at first: the object that the view was opened for. */
  instance?: string;
}

/** Tables as the query API has them, and the computers that they are of. */
interface CounterAnswer extends QueryAnswer {
  computers: string[];
}

export default function PerformanceView({ of, instance }: PerformanceViewProps) {
  const styles = useStyles();
  const [parameters, setParameters] = useSearchParams();
  const timespan = parameters.get('range') ?? 'PT4H';
  const [text, setText] = useState('');
  const rows = useGroup<CounterAnswer>(`/api/objects/${segment(of)}/performance?timespan=${segment(timespan)}`, 60);
  const computers = rows.data?.computers;
  const counters = useMemo(() => (rows.data ? rowsOf(rows.data) : []).map((row): Counter => ({
    object: String(row['ObjectName'] ?? ''), counter: String(row['CounterName'] ?? ''), instance: String(row['InstanceName'] ?? ''),
    last: typeof row['CounterValue'] === 'number' ? row['CounterValue'] : null,
  })), [rows.data]);
  const own = counters.filter((one) => instance !== undefined && one.instance === instance);
  // an empty choice is a choice too
  const [picked, setPicked] = useState(() => (parameters.has('counter') ? parameters.getAll('counter').filter((key) => key !== '') : undefined));
  const chosen = picked ?? firstChoice(own.length > 0 ? own : counters);
  const change = (name: string, values: string[]) => setParameters((was) => {
    const next = new URLSearchParams(was);
    next.delete(name);
    for (const value of values) next.append(name, value);
    return next;
  }, { replace: true });
  const choose = (keys: string[]) => {
    setPicked(keys);
    change('counter', keys.length > 0 ? keys : ['']);
  };
  const match = text.toLowerCase();
  const shown = counters.filter((one) => `${one.object} ${one.counter} ${one.instance}`.toLowerCase().includes(match));
  const objects = [...new Set(shown.map((one) => one.object))];
  const charts = chartsOf(chosen);
  return (
    <>
      <Toolbar label="Performance">
        <Select size="small" aria-label="Time range" value={timespan} onChange={(_event, data) => change('range', [data.value])}>
          {ranges.map((range) => <option key={range.timespan} value={range.timespan}>{range.label}</option>)}
        </Select>
        {computers && computers.length > 1 && <Caption1 className={styles.muted}>{computers.length} computers</Caption1>}
        <Spacer />
        <Button size="small" appearance="subtle" disabledFocusable={chosen.length === 0} onClick={() => choose([])}>Clear the choice</Button>
      </Toolbar>
      {rows.isError && <ErrorState error={rows.error} retry={() => void rows.refetch()} />}
      {rows.isPending && <LoadingState label="Reading the counters" />}
      {computers && counters.length === 0 && (
        <EmptyState icon={<ArrowTrendingLinesRegular />} title="No counters" hint={computers.length === 0 ? 'No computer with an agent is behind this. Choose another object or group.' : 'No counter of this arrived in this time range. Choose a longer one, or check that the agent is connected and which counters it collects.'} />
      )}
      {counters.length > 0 && (
        <div className={styles.body}>
          <div className={styles.counters} role="group" aria-label="Counters">
            <SearchBox className={styles.search} size="small" aria-label="Filter counters" placeholder="Object, counter or instance" value={text} onChange={(_event, data) => setText(data.value)} />
            {objects.map((object) => (
              <section key={object} aria-label={object}>
                <Subtitle2 as="h2" block className={styles.object}>{object}</Subtitle2>
                {shown.filter((one) => one.object === object).map((one) => {
                  const key = keyOf(one);
                  return (
                    <div key={key} className={styles.line}>
                      <span className={styles.name}><Checkbox label={one.instance ? `${one.counter} (${one.instance})` : one.counter} checked={chosen.includes(key)} onChange={(_event, data) => choose(data.checked === true ? [...chosen, key] : chosen.filter((other) => other !== key))} /></span>
                      <Caption1 className={styles.muted}>{one.last === null ? '' : formatCompact(one.last)}</Caption1>
                    </div>
                  );
                })}
              </section>
            ))}
            {shown.length === 0 && <Caption1>No counter has this in its name.</Caption1>}
          </div>
          {/* It scrolls, so the keyboard has to reach it. */}
          {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
          <div className={styles.charts} role="region" aria-label="Charts" tabIndex={0}>
            {charts.length === 0 && <EmptyState icon={<ArrowTrendingLinesRegular />} title="No counter is chosen" hint="Choose counters on the left; instances of one counter share a chart." />}
            {charts.map((chart) => <CounterChartPart key={chart.title} of={of} chart={chart} computers={computers ?? []} timespan={timespan} />)}
          </div>
        </div>
      )}
    </>
  );
}

const line = { visualization: 'timechart' };

function CounterChartPart({ of, chart, computers, timespan }: { of: string; chart: CounterChart; computers: string[]; timespan: string }) {
  const styles = useStyles();
  const navigate = useNavigate();
  const span = timespanMilliseconds(timespan);
  const step = stepMinutes(span);
  const answer = useGroup<QueryAnswer>(valuesPath(of, chart, timespan, step), 60);
  const table = answer.data?.tables[0];
  const query = chartQuery(chart, computers, step);
  return (
    <section aria-label={chart.title}>
      <div className={styles.head}>
        <Subtitle2 as="h2" className={styles.title}>{chart.title}</Subtitle2>
        <ActionButton needs="Microsoft.OperationalInsights/workspaces/query/read" size="small" appearance="subtle" onClick={() => navigate(`/logs${shareFragment({ query: `${query}\n| render timechart`, timespan })}`)}>Open in Logs</ActionButton>
      </div>
      <div className={styles.chart}>
        {answer.isPending && <LoadingState label="Reading" />}
        {answer.isError && <ErrorState error={answer.error} retry={() => void answer.refetch()} />}
        {table && (table.rows.length > 0
          ? <Chart table={table} render={line} kind="timechart" label={chart.title} {...(span === undefined ? {} : { span })} />
          : <EmptyState title="No data" hint="This counter did not arrive in this time range. Choose a longer one." />)}
      </div>
    </section>
  );
}
