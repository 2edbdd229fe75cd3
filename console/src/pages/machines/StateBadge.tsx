// A machine's state in one word.
import { Badge } from '@fluentui/react-components';

export function StateBadge({ healthy }: { healthy: boolean }) {
  return <Badge appearance="tint" color={healthy ? 'success' : 'danger'}>{healthy ? 'Healthy' : 'No heartbeat'}</Badge>;
}
