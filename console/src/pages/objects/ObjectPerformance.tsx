// Counters of the computer that an object is on; of all computers of a group.
import { segment, useGroup, type Agent, type GroupItem, type ManagedObject } from '../../api/management';
import { ErrorState, LoadingState } from '../../components/States';
import { computersOf } from '../performance/computers';
import PerformanceView from '../performance/PerformanceView';

export default function ObjectPerformance({ object }: { object: ManagedObject }) {
  const agents = useGroup<Agent[]>('/api/agents', 30);
  const groups = useGroup<GroupItem[]>(object.agentId ? undefined : '/api/groups', 60);
  const isGroup = groups.data?.some((group) => group.id === object.id) ?? false;
  const members = useGroup<ManagedObject[]>(isGroup ? `/api/groups/${segment(object.id)}/members?nested=true` : undefined, 60);
  const failed = [agents, groups, members].find((one) => one.isError);
  if (failed) return <ErrorState error={failed.error} retry={() => void failed.refetch()} />;
  if (agents.isPending || (!object.agentId && groups.isPending) || (isGroup && members.isPending)) return <LoadingState label="Reading the computers" />;
  return <PerformanceView computers={computersOf(isGroup ? members.data ?? [] : [object], agents.data ?? [])} instance={object.name} />;
}
