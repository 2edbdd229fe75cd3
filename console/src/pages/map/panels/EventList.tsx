// What a machine wrote in the window: how much by table, and the latest warnings and errors.
import { Link, makeStyles, Subtitle2, Text, tokens } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from 'react-router-dom';
import { rowsOf, runQuery } from '../../../api/logs';
import { useWorkspace } from '../../../api/session';
import { formatNumber } from '../../../components/format';
import { EmptyState, ErrorState, LoadingState } from '../../../components/States';
import { shareFragment } from '../../logs/share';
import { shortTime } from './MachinePanel';
import { eventCountsQuery, eventsQuery, tableOfMachineQuery } from './queries';

const useStyles = makeStyles({
  list: { listStyle: 'none', margin: 0, padding: 0, display: 'flex', flexDirection: 'column', gap: '8px' },
  counts: { display: 'grid', gridTemplateColumns: 'minmax(0, 1fr) max-content', gap: '4px 14px', fontSize: '13px', '& > span': { textAlign: 'right', fontVariantNumeric: 'tabular-nums' } },
  entry: { borderLeft: `2px solid ${tokens.colorNeutralStroke1}`, paddingLeft: '10px', fontSize: '13px', overflowWrap: 'anywhere' },
  muted: { color: tokens.colorNeutralForeground2 },
});

export function EventList({ names, window }: { names: readonly string[]; window: { from: string; to: string } }) {
  const styles = useStyles();
  const navigate = useNavigate();
  const timespan = `${window.from}/${window.to}`;
  const counts = useAnswerRows(eventCountsQuery(names), timespan);
  const events = useAnswerRows(eventsQuery(names), timespan);
  const failed = [counts, events].find((one) => one.isError);
  if (counts.isPending || events.isPending) return <LoadingState label="Reading events" />;
  if (failed) return <ErrorState error={failed.error} retry={() => { void counts.refetch(); void events.refetch(); }} />;
  if (counts.data?.length === 0) return <EmptyState title="No events" hint="Nothing that this machine wrote arrived in this window. Choose a longer window, or collect its syslog or event log." />;
  return (
    <>
      <section aria-label="Events by table">
        <div className={styles.counts}>
          {(counts.data ?? []).map((row) => [
            <Link key={`${String(row['TableName'])} link`} as="button" onClick={() => navigate(`/logs${shareFragment({ query: tableOfMachineQuery(String(row['TableName']), names), timespan })}`)}>{String(row['TableName'])}</Link>,
            <span key={`${String(row['TableName'])} count`}>{formatNumber(Number(row['Count']))}</span>,
          ])}
        </div>
      </section>
      <section aria-label="Warnings and errors">
        <Subtitle2 as="h3" block>Warnings and errors</Subtitle2>
        {events.data?.length === 0 && <Text size={200} className={styles.muted}>None in this window.</Text>}
        <ul className={styles.list}>
          {(events.data ?? []).map((row, at) => (
            <li key={at} className={styles.entry}>
              <div className={styles.muted}>{shortTime(String(row['TimeGenerated']))} · {String(row['Severity'])} · {String(row['Source'])}</div>
              {String(row['Message'])}
            </li>
          ))}
        </ul>
      </section>
    </>
  );
}

function useAnswerRows(query: string, timespan: string) {
  const workspace = useWorkspace();
  return useQuery({
    queryKey: ['rows', workspace.id, query, timespan],
    staleTime: 30_000,
    queryFn: async ({ signal }) => rowsOf(await runQuery(workspace.id, query, timespan, signal)),
  });
}
