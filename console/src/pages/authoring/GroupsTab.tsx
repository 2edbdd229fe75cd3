// Groups with their members.
import { PeopleTeamRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useNavigate } from 'react-router-dom';
import { segment, shortName, useGroup, type ManagedObject } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { healthWords } from '../../components/HealthIcon';
import { Split } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

const columns: ColDef<ManagedObject>[] = [
  { field: 'name', headerName: 'Name', flex: 3, minWidth: 200, initialSort: 'asc' },
  { colId: 'class', headerName: 'Class', flex: 3, minWidth: 180, valueGetter: ({ data }) => data?.classes.map(shortName).join(', ') },
  { colId: 'health', headerName: 'Health', width: 150, valueGetter: ({ data }) => (data ? healthWords[data.health] : '') },
];

export function GroupsTab() {
  const navigate = useNavigate();
  const groups = useGroup<ManagedObject[]>(`/api/objects?class=${segment('System.Library!System.Group')}`, 30);
  if (groups.isPending) return <LoadingState label="Reading groups" />;
  if (groups.isError) return <ErrorState error={groups.error} retry={() => void groups.refetch()} />;
  return (
    <Split>
      {groups.data.length === 0
        ? <EmptyState icon={<PeopleTeamRegular />} title="No groups" hint="Groups come with management packs. Overrides can be made for a group, and its health is that of its members." />
        : <DataGrid label="Groups" rows={groups.data} columns={columns} rowId={(group) => group.id} onOpen={(group) => navigate(`/objects/${segment(group.id)}`)} />}
    </Split>
  );
}
