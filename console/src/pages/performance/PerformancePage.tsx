// The performance view: counters of a computer, or of all computers of a group, over time.
import { Select } from '@fluentui/react-components';
import { useSearchParams } from 'react-router-dom';
import { segment, useGroup, type Agent, type GroupItem, type ManagedObject } from '../../api/management';
import { Page } from '../../components/Page';
import { ErrorState, LoadingState } from '../../components/States';
import PerformanceView from './PerformanceView';
import { computersOf } from './computers';

export default function PerformancePage() {
  const [parameters, setParameters] = useSearchParams();
  const agents = useGroup<Agent[]>('/api/agents', 30);
  const groups = useGroup<GroupItem[]>('/api/groups', 60);
  const of = parameters.get('of') ?? agents.data?.find((agent) => agent.object !== null)?.object ?? '';
  const group = groups.data?.find((one) => one.id === of);
  const members = useGroup<ManagedObject[]>(group ? `/api/groups/${segment(group.id)}/members?nested=true` : undefined, 60);
  const agent = agents.data?.find((one) => one.object === of);
  const computers = group ? computersOf(members.data ?? [], agents.data ?? []) : agent ? [agent.computer] : [];
  const waiting = agents.isPending || groups.isPending || (group !== undefined && members.isPending);
  const sorted = <T,>(list: T[], name: (one: T) => string) => [...list].sort((a, b) => name(a).localeCompare(name(b)));
  return (
    <Page
      title="Performance"
      summary={group && members.data && `${computers.length} ${computers.length === 1 ? 'computer' : 'computers'}`}
      actions={
        // what was chosen for another is no longer meant
        <Select size="small" aria-label="Of" value={of} onChange={(_event, data) => setParameters({ of: data.value }, { replace: true })}>
          <optgroup label="Computers">{sorted(agents.data ?? [], (one) => one.computer).flatMap((one) => (one.object ? [<option key={one.id} value={one.object}>{one.computer}</option>] : []))}</optgroup>
          <optgroup label="Groups">{sorted(groups.data ?? [], (one) => one.name).map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</optgroup>
        </Select>
      }
    >
      {agents.isError && <ErrorState error={agents.error} retry={() => void agents.refetch()} />}
      {groups.isError && <ErrorState error={groups.error} retry={() => void groups.refetch()} />}
      {members.isError && <ErrorState error={members.error} retry={() => void members.refetch()} />}
      {waiting ? <LoadingState label="Reading computers and groups" /> : <PerformanceView key={of} computers={computers} />}
    </Page>
  );
}
