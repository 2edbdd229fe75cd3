// A small chart of a query's answer, with the way to the query.
import { Button, makeStyles, Subtitle2, Text, tokens } from '@fluentui/react-components';
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { useNavigate } from 'react-router-dom';
import { runQuery } from '../../../api/logs';
import { useWorkspace } from '../../../api/session';
import { ErrorState, LoadingState } from '../../../components/States';
import { shareFragment } from '../../logs/share';

const Chart = lazy(() => import('../../../components/Chart'));

const useStyles = makeStyles({
  head: { display: 'flex', alignItems: 'center', gap: '8px', '& h3': { flex: 1, margin: 0 } },
  chart: { height: '150px' },
  muted: { color: tokens.colorNeutralForeground2 },
});

const line = { visualization: 'timechart' };

export function SmallChart({ title, query, window }: { title: string; query: string; window: { from: string; to: string } }) {
  const styles = useStyles();
  const navigate = useNavigate();
  const workspace = useWorkspace();
  const timespan = `${window.from}/${window.to}`;
  const answer = useQuery({
    queryKey: ['answer', workspace.id, query, timespan],
    staleTime: 60_000,
    queryFn: ({ signal }) => runQuery(workspace.id, query, timespan, signal),
  });
  const table = answer.data?.tables[0];
  return (
    <section aria-label={title}>
      <div className={styles.head}>
        <Subtitle2 as="h3">{title}</Subtitle2>
        <Button size="small" appearance="subtle" onClick={() => navigate(`/logs${shareFragment({ query: `${query}\n| render timechart`, timespan })}`)}>Open in Logs</Button>
      </div>
      {answer.isPending && <LoadingState label="Reading" />}
      {answer.isError && <ErrorState error={answer.error} retry={() => void answer.refetch()} />}
      {table && (table.rows.length > 0
        ? <div className={styles.chart}><Suspense fallback={<LoadingState label="Loading the chart" />}><Chart table={table} render={line} kind="timechart" label={title} /></Suspense></div>
        : <Text size={200} className={styles.muted}>Nothing of this arrived in this window.</Text>)}
    </section>
  );
}
