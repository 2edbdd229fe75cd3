// What a query cost, in words; the server's own figures beside the time that this browser measured.
import { makeStyles, Subtitle2, Text, tokens } from '@fluentui/react-components';
import type { QueryAnswer } from '../../api/logs';
import { formatBytes, formatNumber } from '../../components/format';
import { Preformatted } from '../../components/Page';

const useStyles = makeStyles({
  list: { display: 'grid', gridTemplateColumns: 'max-content minmax(0, 1fr)', gap: '8px 32px', margin: 0, padding: '16px', '& dt': { color: tokens.colorNeutralForeground2 }, '& dd': { margin: 0, fontVariantNumeric: 'tabular-nums' } },
  plan: { padding: '0 16px 16px' },
  title: { display: 'block', margin: 0 },
  hint: { color: tokens.colorNeutralForeground2, margin: '2px 0 8px' },
});

/** The value at a path of nested objects. */
function at(value: unknown, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>((inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<string | number, unknown>)[key] : undefined), value);
}

/** What would make the query faster, or keep it understood. */
export function adviceOf(answer: QueryAnswer): string[] {
  const advice = at(answer.statistics, 'advice');
  return Array.isArray(advice) ? advice.filter((one): one is string => typeof one === 'string') : [];
}

export function Statistics({ answer, milliseconds }: { answer: QueryAnswer; milliseconds: number }) {
  const styles = useStyles();
  const cost = at(answer.statistics, 'query');
  const number = (show: (value: number) => string, ...path: (string | number)[]) => {
    const value = at(cost, ...path);
    return typeof value === 'number' ? show(value) : undefined;
  };
  const processor = at(cost, 'resourceUsage', 'cpu', 'totalCpu');
  const figures: [string, string | undefined][] = [
    ['Time until the answer was here', `${(milliseconds / 1000).toFixed(3)} s`],
    ['Time in the server', number((value) => `${value.toFixed(3)} s`, 'executionTime')],
    ['Processor time', typeof processor === 'string' ? processor : undefined],
    ['Peak memory', number((value) => (value > 0 ? formatBytes(value) : 'not measured'), 'resourceUsage', 'memory', 'peakPerNode')],
    ['Extents read', number(formatNumber, 'inputDatasetStatistics', 'extents', 'scanned')],
    ['Rows read', number(formatNumber, 'inputDatasetStatistics', 'rows', 'scanned')],
    ['Bytes read', number(formatBytes, 'inputDatasetStatistics', 'bytes', 'scanned')],
    ['Rows answered', number(formatNumber, 'datasetStatistics', 0, 'tableRowCount')],
    ['Size of the answer', number(formatBytes, 'datasetStatistics', 0, 'tableSize')],
  ];
  const plan = at(answer.statistics, 'plan');
  return (
    <>
      <dl className={styles.list} aria-label="Statistics of the query">
        {figures.flatMap(([name, value]) => (value === undefined ? [] : [<dt key={name}>{name}</dt>, <dd key={`${name} value`}>{value}</dd>]))}
      </dl>
      {typeof plan === 'string' && plan !== '' && (
        <section className={styles.plan} aria-label="Plan of the query">
          <Subtitle2 as="h2" className={styles.title}>Plan</Subtitle2>
          <Text size={200} as="p" className={styles.hint}>Read from the bottom: each step with the rows that left it and the time that it computed.</Text>
          <Preformatted label="Plan">{plan}</Preformatted>
        </section>
      )}
    </>
  );
}
