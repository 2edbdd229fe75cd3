// Sessions of one person, each of which can be ended.
import { Badge, Text } from '@fluentui/react-components';
import { sessionsPath, type OpenSession } from '../../api/access';
import { request } from '../../api/client';
import { segment, useAction } from '../../api/management';
import { useMay, type ActionName } from '../../api/permissions';
import { ErrorState } from '../../components/States';
import { Line } from './parts';
import { useStyles } from './styles';
import { browserWords, minuteOf } from './words';

/** `needs`: what ending one takes; nothing for one's own. The session that asks is ended by signing out. */
export function SessionList({ sessions, none, needs }: { sessions: OpenSession[]; none: string; needs?: ActionName }) {
  const styles = useStyles();
  const may = useMay()(needs ?? []);
  const end = useAction((id: string) => request(`${sessionsPath}/${segment(id)}`, { method: 'DELETE' }));
  return (
    <>
      {end.isError && <ErrorState error={end.error} />}
      {sessions.length === 0 && <Text block className={styles.muted}>{none}</Text>}
      <ul className={styles.list} aria-label="Sessions">
        {sessions.map((session) => (
          <Line key={session.id} remove={may && !session.isThisOne ? { label: `End the session of ${minuteOf(session.signedInAt)}`, onRemove: () => end.mutate(session.id), disabled: end.isPending } : undefined}>
            {browserWords(session.client)} <Text className={styles.muted}>since {minuteOf(session.signedInAt)}, until {minuteOf(session.expiresAt)}</Text>{' '}
            {session.isThisOne && <Badge appearance="tint" color="brand">this one</Badge>}
          </Line>
        ))}
      </ul>
    </>
  );
}
