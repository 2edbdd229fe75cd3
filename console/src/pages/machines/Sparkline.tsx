// A small line of one measure, with its last value.
import { makeStyles, tokens } from '@fluentui/react-components';

const useStyles = makeStyles({
  box: { display: 'inline-flex', alignItems: 'center', gap: '6px', verticalAlign: 'middle' },
  value: { minWidth: '44px', fontSize: '12px', textAlign: 'right', fontVariantNumeric: 'tabular-nums' },
  line: { stroke: tokens.colorBrandStroke1 },
  area: { fill: tokens.colorBrandBackground2 },
  none: { color: tokens.colorNeutralForeground3 },
});

const width = 90;
const height = 26;

export function Sparkline({ values, label }: { values: number[]; label: string }) {
  const styles = useStyles();
  const last = values.at(-1);
  if (last === undefined) return <span className={styles.none}>no data</span>;
  const step = width / Math.max(1, values.length - 1);
  // Percentages: the scale is always 0 to 100, so that lines of machines compare.
  const points = values.map((value, i) => `${(i * step).toFixed(1)},${(height - 1 - (Math.min(100, Math.max(0, value)) / 100) * (height - 2)).toFixed(1)}`);
  return (
    <span className={styles.box}>
      <svg width={width} height={height} role="img" aria-label={`${label}: now ${last.toFixed(1)} percent`}>
        <polygon className={styles.area} points={`0,${height} ${points.join(' ')} ${width},${height}`} />
        <polyline className={styles.line} points={points.join(' ')} fill="none" strokeWidth={1.5} />
      </svg>
      <span className={styles.value} aria-hidden>{last.toFixed(1)} %</span>
    </span>
  );
}
