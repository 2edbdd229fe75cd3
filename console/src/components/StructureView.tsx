// Names with values, and tables where the same thing comes several times.
import { makeStyles, tokens } from '@fluentui/react-components';
import { Facts, Section } from './Page';
import type { Structure, Table } from './structure';

const useStyles = makeStyles({
  scroll: { overflow: 'auto', maxHeight: '420px', border: `1px solid ${tokens.colorNeutralStroke2}`, borderRadius: tokens.borderRadiusMedium, margin: '4px 0 8px' },
  table: { borderCollapse: 'collapse', width: '100%', fontSize: '12px', '& th, & td': { textAlign: 'left', padding: '4px 8px', borderBottom: `1px solid ${tokens.colorNeutralStroke2}`, verticalAlign: 'top' } },
  head: { position: 'sticky', top: 0, backgroundColor: tokens.colorNeutralBackground2, fontWeight: tokens.fontWeightSemibold, whiteSpace: 'nowrap' },
  cell: { overflowWrap: 'anywhere', minWidth: '48px' },
});

export function StructureView({ structure, label }: { structure: Structure; label: string }) {
  return (
    <>
      {structure.facts.length > 0 && <Facts items={structure.facts} />}
      {structure.tables.map((table, at) => (table.title === '' ? <Rows key={at} table={table} label={label} /> : <Section key={at} title={`${table.title} (${table.rows.length})`}><Rows table={table} label={`${label}: ${table.title}`} /></Section>))}
    </>
  );
}

function Rows({ table, label }: { table: Table; label: string }) {
  const styles = useStyles();
  return (
    // It scrolls, so the keyboard has to reach it.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={styles.scroll} role="region" aria-label={label} tabIndex={0}>
      <table className={styles.table}>
        <thead><tr>{table.columns.map((column) => <th key={column} scope="col" className={styles.head}>{column}</th>)}</tr></thead>
        <tbody>{table.rows.map((row, at) => <tr key={at}>{row.map((cell, index) => <td key={index} className={styles.cell}>{cell}</td>)}</tr>)}</tbody>
      </table>
    </div>
  );
}
