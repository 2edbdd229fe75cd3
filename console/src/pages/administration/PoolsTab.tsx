// Resource pools: who does their work, and whether enough members are alive.
import { Subtitle1 } from '@fluentui/react-components';
import { LayerRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { useGroup, type PoolMember, type ResourcePool } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { Facts, Section, Split } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

const alive = (members: PoolMember[]) => members.filter((member) => member.alive).length;

const columns: ColDef<ResourcePool>[] = [
  { field: 'name', headerName: 'Name', flex: 3, minWidth: 220, initialSort: 'asc' },
  { colId: 'working', headerName: 'Working', width: 130, valueGetter: ({ data }) => (data?.hasQuorum ? 'yes' : 'no quorum') },
  { colId: 'alive', headerName: 'Members alive', width: 140, valueGetter: ({ data }) => data && `${alive(data.members)} of ${data.members.length}` },
  { colId: 'members', headerName: 'Membership', flex: 2, minWidth: 160, valueGetter: ({ data }) => (data?.automatic ? 'every management server' : 'chosen') },
];

export function PoolsTab() {
  const pools = useGroup<ResourcePool[]>('/api/pools', 10);
  const [open, setOpen] = useState<string>();
  if (pools.isPending) return <LoadingState label="Reading resource pools" />;
  if (pools.isError) return <ErrorState error={pools.error} retry={() => void pools.refetch()} />;
  const chosen = pools.data.find((pool) => pool.id === open);
  const lines = (members: PoolMember[]) => members.map((member): [string, string] => [member.name ?? member.id, `${member.kind ?? 'unknown server'}, ${member.alive ? 'alive' : 'not alive'}`]);
  return (
    <Split
      label="Resource pool"
      side={chosen && (
        <>
          <Subtitle1 as="h2">{chosen.name}</Subtitle1>
          <Facts items={[['Working', chosen.hasQuorum ? 'yes' : 'no: more than half of the votes are needed'], ['Operational store votes', chosen.defaultObserver ? 'yes' : 'no']]} />
          <Section title="Members"><Facts items={lines(chosen.members)} /></Section>
          {chosen.observers.length > 0 && <Section title="Observers"><Facts items={lines(chosen.observers)} /></Section>}
        </>
      )}
    >
      {pools.data.length === 0
        ? <EmptyState icon={<LayerRegular />} title="No resource pools" hint="They are made when a management server starts with its management group." />
        : <DataGrid label="Resource pools" rows={pools.data} columns={columns} rowId={(pool) => pool.id} openId={open} onOpen={(pool) => setOpen(pool.id)} />}
    </Split>
  );
}
