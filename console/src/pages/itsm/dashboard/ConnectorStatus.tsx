// Each connection: how it is, how its exchanges went in the time range, and what to do where it failed.
import { Badge, makeStyles, Text, tokens } from '@fluentui/react-components';
import { Link } from 'react-router-dom';
import type { ItsmConnection } from '../../../api/itsm';
import type { Row } from '../../../api/logs';
import { segment } from '../../../api/management';
import { ago, formatNumber } from '../../../components/format';
import { partWords } from '../connections/problems';
import { connectorLogQuery } from '../queries';
import { shareFragment } from '../../logs/share';
import { statusColours, statusWords } from '../words';

const useStyles = makeStyles({
  list: { listStyle: 'none', margin: 0, padding: 0, display: 'flex', flexDirection: 'column', gap: '12px' },
  head: { display: 'flex', alignItems: 'center', gap: '8px', flexWrap: 'wrap' },
  name: { fontWeight: 600, color: tokens.colorBrandForegroundLink, overflowWrap: 'anywhere' },
  link: { color: tokens.colorBrandForegroundLink },
  line: { fontSize: '12px', color: tokens.colorNeutralForeground2, display: 'flex', gap: '12px', flexWrap: 'wrap' },
  problem: { fontSize: '12px', color: tokens.colorPaletteRedForeground1, overflowWrap: 'anywhere' },
});

export function ConnectorStatus({ connections, log, timespan }: { connections: readonly ItsmConnection[]; log: readonly Row[]; timespan: string }) {
  const styles = useStyles();
  const now = Date.now();
  const gone = log.filter((row) => row['Connection'] && !connections.some((one) => one.name === row['Connection']));
  const counts = (name: string) => {
    const row = log.find((one) => one['Connection'] === name);
    const link = (text: string, errors: boolean) => <Link className={styles.link} to={`/logs${shareFragment({ query: connectorLogQuery(name, errors), timespan })}`}>{text}</Link>;
    const failed = Number(row?.['Errors'] ?? 0);
    return <>{link(`${formatNumber(Number(row?.['Success'] ?? 0) + failed)} log records`, false)}{failed > 0 && link(`${formatNumber(failed)} ${failed === 1 ? 'error' : 'errors'}`, true)}</>;
  };
  if (connections.length === 0 && gone.length === 0) return <Text>No connection is configured any more.</Text>;
  return (
    <ul className={styles.list} aria-label="Connections and their status">
      {connections.map((one) => (
        <li key={one.id}>
          <div className={styles.head}>
            <Link className={styles.name} to={`/itsm/connections?connection=${segment(one.id)}`}>{one.name}</Link>
            <Badge appearance="tint" color={statusColours[one.status]}>{statusWords[one.status]}</Badge>
          </div>
          {one.problem && <div className={styles.problem}>{partWords(one.problem.part)?.title}: {one.problem.advice}.</div>}
          <div className={styles.line}><span>{one.partnerTitle}</span><span>{one.lastSuccess ? `read ${ago(one.lastSuccess, now)}` : 'not read yet'}</span>{counts(one.name)}</div>
        </li>
      ))}
      {gone.map((row) => <li key={String(row['Connection'])}><div className={styles.head}>{String(row['Connection'])} <Badge appearance="outline" color="informative">Removed</Badge></div><div className={styles.line}>{counts(String(row['Connection']))}</div></li>)}
    </ul>
  );
}
