// Cuts the map to a group: computer groups of the workspace, and the groups of machines that the map knows.
import { Select } from '@fluentui/react-components';
import { groupsPath, type ComputerGroup } from '../../api/configurationManager';
import { useGroup } from '../../api/management';
import type { MachineGroup } from '../../api/map';
import { useMay } from '../../api/permissions';

interface WithinSelectProps {
  value: string | undefined;
  groups: readonly MachineGroup[];
  onChange: (value: string | undefined) => void;
}

const byName = (left: { name: string }, right: { name: string }) => left.name.localeCompare(right.name);

export function WithinSelect({ value, groups, onChange }: WithinSelectProps) {
  const may = useMay()('Microsoft.OperationalInsights/workspaces/computerGroups/read');
  const computerGroups = [...(useGroup<ComputerGroup[]>(may ? groupsPath : undefined, 60).data ?? [])].sort(byName);
  // a computer group of the management group is one of its groups, too
  const objects = new Set(computerGroups.map((one) => one.object));
  const others = groups.filter((one) => !objects.has(one.id)).sort(byName);
  const isKnown = value === undefined || [...computerGroups, ...others].some((one) => one.id === value);
  return (
    <Select size="small" aria-label="Machines" value={value ?? ''} onChange={(_event, data) => onChange(data.value === '' ? undefined : data.value)}>
      <option value="">All machines</option>
      {!isKnown && <option value={value}>{value}</option>}
      {others.length > 0 && <optgroup label="Groups of machines">{others.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</optgroup>}
      {computerGroups.length > 0 && <optgroup label="Computer groups">{computerGroups.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</optgroup>}
    </Select>
  );
}
