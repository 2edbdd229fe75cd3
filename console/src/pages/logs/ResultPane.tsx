// Below the editor: results as grid and chart, statistics, and the panel of one opened cell.
import { Button, Dropdown, makeStyles, MessageBar, MessageBarBody, Option, OverlayDrawer, DrawerBody, DrawerHeader, DrawerHeaderTitle, Tab, TabList, Text, tokens } from '@fluentui/react-components';
import { ArrowDownloadRegular, DismissRegular, SearchRegular } from '@fluentui/react-icons';
import { lazy, Suspense, useState } from 'react';
import type { Cell, QueryAnswer, Render } from '../../api/logs';
import { chartKind, chartKinds, type ChartKind } from '../../components/chartOption';
import { formatCell, formatCompact, jsonOf, prettyJson } from '../../components/format';
import { structureOfJson } from '../../components/structure';
import { StructureView } from '../../components/StructureView';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { downloadCsv } from './csv';
import { adviceOf, Statistics } from './Statistics';

const ResultGrid = lazy(() => import('../../components/ResultGrid'));
const Chart = lazy(() => import('../../components/Chart'));

const useStyles = makeStyles({
  pane: { display: 'flex', flexDirection: 'column', height: '100%', minHeight: 0, backgroundColor: tokens.colorNeutralBackground1 },
  head: { display: 'flex', alignItems: 'center', gap: '8px', padding: '0 12px', borderBottom: `1px solid ${tokens.colorNeutralStroke2}`, flexWrap: 'wrap' },
  spacer: { flex: 1 },
  body: { flex: 1, minHeight: 0, position: 'relative', overflow: 'auto' },
  chart: { height: '100%', padding: '8px', boxSizing: 'border-box' },
  pre: { fontFamily: tokens.fontFamilyMonospace, fontSize: '13px', whiteSpace: 'pre-wrap', wordBreak: 'break-word', margin: 0 },
  summary: { cursor: 'pointer', fontSize: '12px', color: tokens.colorNeutralForeground2, margin: '8px 0 4px' },
  card: { height: '100%', display: 'flex', alignItems: 'center', justifyContent: 'center', gap: '48px', flexWrap: 'wrap' },
  figure: { display: 'flex', flexDirection: 'column', alignItems: 'center' },
  big: { fontSize: '44px', lineHeight: '52px', fontWeight: 600, color: tokens.colorBrandForeground1 },
  muted: { color: tokens.colorNeutralForeground2 },
});

export interface RunState {
  running: boolean;
  /** Grows with every run, so that a new answer begins with its own view. */
  run: number;
  answer?: QueryAnswer;
  error?: unknown;
  milliseconds?: number;
  cancelled?: boolean;
}

export function ResultPane({ state, onCancel }: { state: RunState; onCancel: () => void }) {
  const styles = useStyles();
  if (state.running) {
    return (
      <div className={styles.pane}>
        <LoadingState label="Running the query" />
        <div className={styles.card}><Button onClick={onCancel}>Cancel the query</Button></div>
      </div>
    );
  }
  if (state.error !== undefined) return <div className={styles.pane}><ErrorState error={state.error} /></div>;
  if (!state.answer) {
    return (
      <div className={styles.pane}>
        <EmptyState
          icon={<SearchRegular />}
          title={state.cancelled ? 'The query was cancelled' : 'Run a query to see its results'}
          hint="Press Shift+Enter in the editor, or Run. Choose + beside a table to see its first ten rows."
        />
      </div>
    );
  }
  return <Answer key={state.run} answer={state.answer} milliseconds={state.milliseconds ?? 0} />;
}

function Answer({ answer, milliseconds }: { answer: QueryAnswer; milliseconds: number }) {
  const styles = useStyles();
  const asked = chartKind(answer.render);
  const isCard = answer.render?.visualization?.toLowerCase() === 'card';
  const [view, setView] = useState(asked || isCard ? 'chart' : 'results');
  const [kind, setKind] = useState<ChartKind>(asked ?? 'columnchart');
  const [at, setAt] = useState(0);
  const [opened, setOpened] = useState<{ column: string; value: Cell }>();
  const table = answer.tables[at] ?? answer.tables[0];
  const render: Render = answer.render ?? {};
  if (!table) return <EmptyState title="No table" hint="The query answered no table." />;
  return (
    <section className={styles.pane} aria-label="Results">
      <div className={styles.head}>
        <TabList size="small" selectedValue={view} onTabSelect={(_event, data) => setView(String(data.value))}>
          <Tab value="results">Results</Tab>
          <Tab value="chart">Chart</Tab>
          <Tab value="statistics">Statistics</Tab>
        </TabList>
        {answer.tables.length > 1 && (
          <Dropdown size="small" aria-label="Table" value={table.name} selectedOptions={[String(at)]} onOptionSelect={(_event, data) => setAt(Number(data.optionValue ?? 0))}>
            {answer.tables.map((one, index) => <Option key={one.name + String(index)} value={String(index)}>{one.name}</Option>)}
          </Dropdown>
        )}
        {view === 'chart' && !isCard && (
          <Dropdown size="small" aria-label="Chart type" value={kind} selectedOptions={[kind]} onOptionSelect={(_event, data) => setKind((data.optionValue ?? kind) as ChartKind)}>
            {chartKinds.map((one) => <Option key={one}>{one}</Option>)}
          </Dropdown>
        )}
        <span className={styles.spacer} />
        <Text size={200} className={styles.muted} data-testid="result-summary" role="status">
          {(milliseconds / 1000).toFixed(2)} s · {table.rows.length.toLocaleString()} {table.rows.length === 1 ? 'record' : 'records'}
        </Text>
        <Button size="small" appearance="subtle" icon={<ArrowDownloadRegular />} onClick={() => downloadCsv(table, 'query_data.csv')}>Export CSV</Button>
      </div>
      {answer.error && (
        <MessageBar intent="warning"><MessageBarBody>The answer is not whole. {answer.error.code}: {answer.error.message}</MessageBarBody></MessageBar>
      )}
      {adviceOf(answer).map((advice) => <MessageBar key={advice} intent="info" layout="multiline"><MessageBarBody>{advice}</MessageBarBody></MessageBar>)}
      <div className={styles.body}>
        <Suspense fallback={<LoadingState label="Drawing" />}>
          {view === 'results' && (table.rows.length === 0
            ? <EmptyState title="No results" hint="No record matches in this time range. Try a longer one." />
            : <ResultGrid table={table} label="Query results" onOpenCell={(column, value) => setOpened({ column, value })} />)}
          {view === 'chart' && (isCard
            ? (
              <div className={styles.card} data-testid="chart" data-kind="card">
                {table.columns.map((column, i) => (
                  <div key={column.name} className={styles.figure}>
                    <span className={styles.big}>{typeof table.rows[0]?.[i] === 'number' ? formatCompact(table.rows[0][i]) : formatCell(table.rows[0]?.[i], column.type)}</span>
                    <Text className={styles.muted}>{column.name}</Text>
                  </div>
                ))}
              </div>
            )
            : <div className={styles.chart}><Chart table={table} render={render} kind={kind} label={`${kind} of ${table.rows.length} records`} /></div>)}
          {view === 'statistics' && <Statistics answer={answer} milliseconds={milliseconds} />}
        </Suspense>
      </div>
      <OverlayDrawer position="end" size="medium" open={opened !== undefined} onOpenChange={(_event, data) => !data.open && setOpened(undefined)}>
        <DrawerHeader>
          <DrawerHeaderTitle action={<Button appearance="subtle" aria-label="Close" icon={<DismissRegular />} onClick={() => setOpened(undefined)} />}>{opened?.column}</DrawerHeaderTitle>
        </DrawerHeader>
        <DrawerBody>{opened && <Opened column={opened.column} value={opened.value} />}</DrawerBody>
      </OverlayDrawer>
    </section>
  );
}

/** A value that is too large for its cell: lists of objects as tables, and always the text. */
function Opened({ column, value }: { column: string; value: Cell }) {
  const styles = useStyles();
  const structure = structureOfJson(typeof value === 'string' ? jsonOf(value) : value);
  const text = <pre className={styles.pre}>{prettyJson(value)}</pre>;
  if (!structure || structure.tables.length === 0) return text;
  return (
    <>
      <StructureView structure={structure} label={column} />
      <details>
        <summary className={styles.summary}>The whole value</summary>
        {text}
      </details>
    </>
  );
}
