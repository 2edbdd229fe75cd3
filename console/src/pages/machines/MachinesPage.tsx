// Machines: what reports, how it is, how busy it is.
import { Card, makeStyles, SearchBox, Table, TableBody, TableCell, TableHeader, TableHeaderCell, TableRow, Text, Title2, tokens } from '@fluentui/react-components';
import { ServerRegular } from '@fluentui/react-icons';
import { useMemo, useState } from 'react';
import { Link } from 'react-router-dom';
import { useRows, type Row } from '../../api/logs';
import { ago } from '../../components/format';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { isHealthy } from './health';
import { machinesQuery, sparklinesQuery } from './queries';
import { Sparkline } from './Sparkline';
import { StateBadge } from './StateBadge';

const useStyles = makeStyles({
  page: { padding: '20px 24px', display: 'flex', flexDirection: 'column', gap: '16px' },
  head: { display: 'flex', alignItems: 'center', gap: '16px', flexWrap: 'wrap' },
  spacer: { flex: 1 },
  muted: { color: tokens.colorNeutralForeground2 },
  card: { padding: '4px 8px', overflowX: 'auto' },
  table: { minWidth: '760px' },
  link: { color: tokens.colorBrandForegroundLink, fontWeight: 600, textDecorationLine: 'none' },
});

export default function MachinesPage() {
  const styles = useStyles();
  const [search, setSearch] = useState('');
  const machines = useRows('machines', machinesQuery, 'P1D', 30);
  const sparklines = useRows('sparklines', sparklinesQuery, 'PT1H');
  const lines = useMemo(() => measuresByMachine(sparklines.data ?? []), [sparklines.data]);
  const shown = (machines.data ?? []).filter((row) => String(row['Computer']).toLowerCase().includes(search.toLowerCase()));
  const healthy = (machines.data ?? []).filter((row) => isHealthy(row, machines.dataUpdatedAt)).length;
  return (
    <div className={styles.page}>
      <div className={styles.head}>
        <Title2 as="h1">Machines</Title2>
        {machines.data && machines.data.length > 0 && <Text className={styles.muted}>{healthy} of {machines.data.length} healthy</Text>}
        <span className={styles.spacer} />
        <SearchBox placeholder="Filter by name" aria-label="Filter machines by name" value={search} onChange={(_event, data) => setSearch(data.value)} />
      </div>
      {machines.isPending && <LoadingState label="Looking for machines" />}
      {machines.isError && <ErrorState error={machines.error} retry={() => void machines.refetch()} />}
      {sparklines.isError && <ErrorState error={sparklines.error} retry={() => void sparklines.refetch()} />}
      {machines.data?.length === 0 && (
        <Card><EmptyState icon={<ServerRegular />} title="No machine has reported in a day" hint="Install watchkeeper-agent on a machine and enrol it with this server. Its first heartbeat arrives within a minute." /></Card>
      )}
      {machines.data && machines.data.length > 0 && (
        <Card className={styles.card}>
          <Table aria-label="Machines" className={styles.table}>
            <TableHeader>
              <TableRow>
                {['Name', 'State', 'Last heartbeat', 'Operating system', 'Processor', 'Memory', 'Agent'].map((name) => <TableHeaderCell key={name}>{name}</TableHeaderCell>)}
              </TableRow>
            </TableHeader>
            <TableBody>
              {shown.map((row) => {
                const computer = String(row['Computer']);
                const good = isHealthy(row, machines.dataUpdatedAt);
                return (
                  <TableRow key={computer}>
                    <TableCell><Link to={`/machines/${encodeURIComponent(computer)}`} className={styles.link}>{computer}</Link></TableCell>
                    <TableCell><StateBadge healthy={good} /></TableCell>
                    <TableCell>{ago(String(row['TimeGenerated']), machines.dataUpdatedAt)}</TableCell>
                    <TableCell>{String(row['OSName'] || row['OSType'] || '')}</TableCell>
                    <TableCell><Sparkline label="Processor" values={lines.get(`${computer}/cpu`) ?? []} /></TableCell>
                    <TableCell><Sparkline label="Memory" values={lines.get(`${computer}/memory`) ?? []} /></TableCell>
                    <TableCell>{String(row['Version'] ?? '')}</TableCell>
                  </TableRow>
                );
              })}
            </TableBody>
          </Table>
          {shown.length === 0 && <EmptyState title="No match" hint="No machine has this in its name." />}
        </Card>
      )}
    </div>
  );
}

/** Values of each `machine/measure`, oldest first. */
function measuresByMachine(rows: Row[]): Map<string, number[]> {
  const lines = new Map<string, number[]>();
  for (const row of rows) {
    const key = `${String(row['Computer'])}/${String(row['Measure'])}`;
    const values = lines.get(key) ?? [];
    if (typeof row['Value'] === 'number') values.push(row['Value']);
    lines.set(key, values);
  }
  return lines;
}
