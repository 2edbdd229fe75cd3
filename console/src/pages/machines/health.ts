// When a machine counts as healthy.
import type { Row } from '../../api/logs';
import { heartbeatLimitMinutes } from './queries';

/** True while the machine's last heartbeat is young enough. */
export function isHealthy(row: Row, now: number): boolean {
  return now - new Date(String(row['TimeGenerated'])).getTime() < heartbeatLimitMinutes * 60_000;
}
