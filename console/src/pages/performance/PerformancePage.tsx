// The performance view: counters of a computer, or of all computers of a group, over time.
import { Select } from '@fluentui/react-components';
import { ArrowTrendingLinesRegular } from '@fluentui/react-icons';
import { useSearchParams } from 'react-router-dom';
import { useGroup, type GroupItem, type ManagedObject } from '../../api/management';
import { useMay } from '../../api/permissions';
import { Page } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import PerformanceView from './PerformanceView';

const computersPath = `/api/objects?class=${encodeURIComponent('System.Library!System.Computer')}`;

export default function PerformancePage() {
  const [parameters, setParameters] = useSearchParams();
  const computers = useGroup<ManagedObject[]>(computersPath, 30);
  const mayGroups = useMay()('Watchkeeper/managementGroups/groups/read');
  const groups = useGroup<GroupItem[]>(mayGroups ? '/api/groups' : undefined, 60);
  const sorted = <T extends { name: string }>(list: readonly T[] | undefined) => [...(list ?? [])].sort((a, b) => a.name.localeCompare(b.name));
  // computers without an agent have no counters
  const withAgent = sorted(computers.data?.filter((one) => one.agentId !== ''));
  const of = parameters.get('of') ?? withAgent[0]?.id ?? groups.data?.[0]?.id;
  const waiting = computers.isPending || (mayGroups && groups.isPending);
  return (
    <Page
      title="Performance"
      actions={
        // what was chosen for another is no longer meant
        <Select size="small" aria-label="Of" value={of ?? ''} onChange={(_event, data) => setParameters({ of: data.value }, { replace: true })}>
          <optgroup label="Computers">{withAgent.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</optgroup>
          <optgroup label="Groups">{sorted(groups.data).map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</optgroup>
        </Select>
      }
    >
      {computers.isError && <ErrorState error={computers.error} retry={() => void computers.refetch()} />}
      {groups.isError && <ErrorState error={groups.error} retry={() => void groups.refetch()} />}
      {waiting && <LoadingState label="Reading computers and groups" />}
      {!waiting && of === undefined && <EmptyState icon={<ArrowTrendingLinesRegular />} title="No computers" hint="No computer with an agent is among the objects that you see. Install an agent, or ask for a role at a group with computers." />}
      {!waiting && of !== undefined && <PerformanceView key={of} of={of} />}
    </Page>
  );
}
