// Bars with their names and numbers, each a way to the records that it counts.
import { makeStyles, mergeClasses, Text, tokens } from '@fluentui/react-components';
import { Link } from 'react-router-dom';
import type { ReactNode } from 'react';
import { formatNumber } from '../../../components/format';

const useStyles = makeStyles({
  list: { listStyle: 'none', margin: 0, padding: 0, display: 'flex', flexDirection: 'column' },
  row: { display: 'flex', alignItems: 'center', minWidth: 0 },
  link: { flex: 1, minWidth: 0, display: 'grid', gridTemplateColumns: 'minmax(72px, 38%) minmax(0, 1fr) minmax(40px, max-content)', gap: '10px', alignItems: 'center', padding: '4px 6px', borderRadius: tokens.borderRadiusMedium, color: tokens.colorNeutralForeground1, textDecorationLine: 'none', fontSize: '13px', ':hover': { backgroundColor: tokens.colorNeutralBackground1Hover } },
  name: { overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' },
  none: { color: tokens.colorNeutralForeground2, fontStyle: 'italic' },
  track: { height: '10px', borderRadius: tokens.borderRadiusSmall, backgroundColor: tokens.colorNeutralBackground3, display: 'flex', overflow: 'hidden' },
  bar: { height: '100%', flexShrink: 0 },
  number: { textAlign: 'right', fontVariantNumeric: 'tabular-nums', fontWeight: 600, color: tokens.colorBrandForegroundLink },
  legend: { display: 'flex', gap: '14px', flexWrap: 'wrap', fontSize: '12px', color: tokens.colorNeutralForeground2, paddingBottom: '6px' },
  key: { display: 'inline-flex', alignItems: 'center', gap: '6px' },
  swatch: { width: '10px', height: '10px', borderRadius: '2px' },
  first: { backgroundColor: tokens.colorBrandBackground },
  second: { backgroundColor: tokens.colorPaletteDarkOrangeBackground3 },
  rest: { backgroundColor: tokens.colorNeutralStroke1 },
});

/** How a part of a bar is painted. */
export type Shade = 'first' | 'second' | 'rest';

export interface BarItem {
  key: string;
  /** Empty: the records say nothing there. */
  name: string;
  parts: { shade: Shade; value: number }[];
  /** The page with the records. */
  to: string;
  /** Beside the bar. */
  more?: ReactNode;
}

export const totalOf = (item: BarItem) => item.parts.reduce((sum, part) => sum + part.value, 0);

interface BarListProps {
  label: string;
  items: BarItem[];
  /** What the shades stand for, where there are several. */
  legend?: { shade: Shade; name: string }[];
  /** What one of those that are counted is called. */
  unit?: string;
}

export function BarList({ label, items, legend, unit = 'work items' }: BarListProps) {
  const styles = useStyles();
  const most = Math.max(1, ...items.map(totalOf));
  if (items.length === 0) return <Text className={styles.none}>None in this time range</Text>;
  return (
    <>
      {legend && <div className={styles.legend} aria-hidden>{legend.map(({ shade, name }) => <span key={name} className={styles.key}><span className={mergeClasses(styles.swatch, styles[shade])} />{name}</span>)}</div>}
      <ul className={styles.list} aria-label={label}>
        {items.map((item) => {
          const total = totalOf(item);
          const name = item.name || 'not said';
          const parts = legend?.map(({ shade, name: what }) => `${what} ${formatNumber(item.parts.find((part) => part.shade === shade)?.value ?? 0)}`).join(', ');
          return (
            <li key={item.key} className={styles.row}>
              <Link to={item.to} className={styles.link} aria-label={`${name}: ${formatNumber(total)} ${unit}`} title={parts ? `${name}: ${parts}` : name}>
                <span className={mergeClasses(styles.name, item.name === '' && styles.none)}>{name}</span>
                <span className={styles.track} aria-hidden>{item.parts.map(({ shade, value }) => value > 0 && <span key={shade} className={mergeClasses(styles.bar, styles[shade])} style={{ width: `${(100 * value) / most}%` }} />)}</span>
                <span className={styles.number}>{formatNumber(total)}</span>
              </Link>
              {item.more}
            </li>
          );
        })}
      </ul>
    </>
  );
}
