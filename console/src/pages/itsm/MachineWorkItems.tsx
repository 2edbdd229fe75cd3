// Open work items about machines: those that the service desks have, and those that open alerts name.
import { Button, makeStyles, Text, tokens } from '@fluentui/react-components';
import { DocumentSearchRegular } from '@fluentui/react-icons';
import { Link, useNavigate } from 'react-router-dom';
import type { Alert } from '../../api/alerts';
import { useGroup } from '../../api/management';
import { useMay } from '../../api/permissions';
import { ago } from '../../components/format';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { shareFragment } from '../logs/share';
import { useOpenItems, type OpenItem } from './openItems';
import { openSpan } from './queries';
import { WorkItemLinks } from './WorkItemLinks';

const useStyles = makeStyles({
  list: { listStyle: 'none', margin: 0, padding: 0, display: 'flex', flexDirection: 'column', gap: '10px' },
  item: { borderLeft: `2px solid ${tokens.colorBrandStroke1}`, paddingLeft: '10px', fontSize: '13px', overflowWrap: 'anywhere' },
  link: { color: tokens.colorBrandForegroundLink, fontWeight: 600 },
  muted: { color: tokens.colorNeutralForeground2 },
});

/** What an item is, beside its title. */
function aboutItem(item: OpenItem, now: number): string {
  return [item.type === 'ChangeRequest' ? 'Change request' : 'Incident', item.state, item.priority, item.assignedTo, item.changed && `changed ${ago(item.changed, now)}`, item.connection].filter(Boolean).join(' · ');
}

/** `names`: every name that the machines are known by. */
export function MachineWorkItems({ names }: { names: readonly string[] }) {
  const styles = useStyles();
  const navigate = useNavigate();
  const open = useOpenItems(names);
  const mayAlerts = useMay()('Microsoft.AlertsManagement/alerts/read');
  const alerts = useGroup<Alert[]>(mayAlerts ? '/api/alerts?state=open' : undefined, 30);
  if (open.isPending || (mayAlerts && alerts.isPending)) return <LoadingState label="Reading work items" />;
  if (open.error) return <ErrorState error={open.error} retry={() => void open.refetch()} />;
  const own = new Set(names.map((name) => name.toLowerCase()));
  const listed = new Set(open.items.map((item) => item.id));
  const tickets = (alerts.data ?? []).filter((alert) => own.has(alert.computer.toLowerCase()) && alert.ticketId !== '' && !listed.has(alert.ticketId));
  if (open.items.length === 0 && tickets.length === 0) {
    return (
      <EmptyState
        title="No open work items"
        hint={open.hasConnections ? 'No service desk has an open incident or change request about it, and no open alert names a ticket.' : <>No open alert names a ticket, and no service desk is connected: see <Link className={styles.link} to="/itsm/connections">ITSM connections</Link>.</>}
      />
    );
  }
  const now = Date.now();
  return (
    <>
      <ul className={styles.list} aria-label="Open work items">
        {open.items.map((item) => (
          <li key={`${item.connection}/${item.type}/${item.id}`} className={styles.item}>
            {item.link ? <a className={styles.link} href={item.link} target="_blank" rel="noreferrer">{item.id}</a> : <b>{item.id}</b>} {item.title}
            <div className={styles.muted}>{aboutItem(item, now)}</div>
          </li>
        ))}
        {tickets.map((alert) => (
          <li key={alert.id} className={styles.item}>
            <WorkItemLinks alert={alert} /> <Link className={styles.link} to={`/alerts?alert=${encodeURIComponent(alert.id)}`}>{alert.name}</Link>
            <div className={styles.muted}>ticket of an open alert · {ago(alert.timeRaised, now)}</div>
          </li>
        ))}
      </ul>
      {open.query !== undefined && <div><Button size="small" appearance="subtle" icon={<DocumentSearchRegular />} onClick={() => navigate(`/logs${shareFragment({ query: open.query ?? '', timespan: openSpan })}`)}>Open in Logs</Button></div>}
      {open.items.length >= 5000 && <Text size={200} className={styles.muted}>The first 5,000.</Text>}
    </>
  );
}
