// Open alerts of machines, each a way to its page.
import { makeStyles, tokens } from '@fluentui/react-components';
import { Link } from 'react-router-dom';
import type { Alert } from '../../../api/alerts';
import { useGroup } from '../../../api/management';
import type { MapMachine } from '../../../api/map';
import { ago } from '../../../components/format';
import { SeverityIcon, severityRank } from '../../../components/HealthIcon';
import { Guarded } from '../../../components/May';
import { EmptyState, ErrorState, LoadingState } from '../../../components/States';
import { WorkItemLinks, workItemNumbers } from '../../itsm/WorkItemLinks';
import { namesOf } from './MachinePanel';

const useStyles = makeStyles({
  list: { listStyle: 'none', margin: 0, padding: 0, display: 'flex', flexDirection: 'column', gap: '8px' },
  item: { display: 'flex', gap: '8px', alignItems: 'flex-start', fontSize: '13px' },
  text: { minWidth: 0, overflowWrap: 'anywhere' },
  link: { color: tokens.colorBrandForegroundLink, fontWeight: 600 },
  muted: { color: tokens.colorNeutralForeground2 },
});

export function AlertList({ machines }: { machines: readonly MapMachine[] }) {
  return <Guarded needs={['Microsoft.AlertsManagement/alerts/read']} label="alerts"><Alerts machines={machines} /></Guarded>;
}

function Alerts({ machines }: { machines: readonly MapMachine[] }) {
  const styles = useStyles();
  const alerts = useGroup<Alert[]>('/api/alerts?state=open', 15);
  if (alerts.isPending) return <LoadingState label="Reading alerts" />;
  if (alerts.isError) return <ErrorState error={alerts.error} retry={() => void alerts.refetch()} />;
  const names = new Set(machines.flatMap(namesOf).map((name) => name.toLowerCase()));
  const own = alerts.data.filter((alert) => names.has(alert.computer.toLowerCase())).sort((a, b) => severityRank[b.severity] - severityRank[a.severity] || b.timeRaised.localeCompare(a.timeRaised));
  if (own.length === 0) return <EmptyState title="No open alerts" hint="Nothing needs you here. Alerts come from the monitors and rules of management packs." />;
  return (
    <ul className={styles.list} aria-label="Open alerts">
      {own.map((alert) => (
        <li key={alert.id} className={styles.item}>
          <SeverityIcon compact severity={alert.severity} />
          <div className={styles.text}>
            <Link className={styles.link} to={`/alerts?alert=${encodeURIComponent(alert.id)}`}>{alert.name}</Link>
            <div className={styles.muted}>{alert.objectName} · {alert.resolutionState} · {ago(alert.timeRaised, alerts.dataUpdatedAt)}{workItemNumbers(alert) !== '' && <> · <WorkItemLinks alert={alert} /></>}</div>
          </div>
        </li>
      ))}
    </ul>
  );
}
