// Resource pools: who does the work of objects without an agent, which server holds which, whether enough are alive.
import { makeStyles, Subtitle1, Text, tokens } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, EditRegular, LayerRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { request } from '../../api/client';
import { segment, useAction, useGroup, type PoolMember, type PoolObject, type ResourcePool } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog } from '../../components/Dialogs';
import { HealthIcon } from '../../components/HealthIcon';
import { ActionButton } from '../../components/May';
import { Facts, Section, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { PoolDialog } from './PoolDialog';

const useStyles = makeStyles({
  link: { color: tokens.colorBrandForegroundLink },
  list: { listStyle: 'none', margin: '4px 0 0', padding: 0, display: 'flex', flexDirection: 'column', gap: '4px', fontSize: '13px' },
  row: { display: 'flex', gap: '2px 8px', alignItems: 'center', flexWrap: 'wrap' },
  muted: { color: tokens.colorNeutralForeground2 },
});

const alive = (members: PoolMember[]) => members.filter((member) => member.alive).length;

const columns: ColDef<ResourcePool>[] = [
  { field: 'name', headerName: 'Name', flex: 3, minWidth: 220, initialSort: 'asc' },
  { colId: 'working', headerName: 'Working', width: 130, valueGetter: ({ data }) => (data?.hasQuorum ? 'yes' : 'no quorum') },
  { colId: 'alive', headerName: 'Members alive', width: 140, valueGetter: ({ data }) => data && `${alive(data.members)} of ${data.members.length}` },
  { field: 'objects', headerName: 'Objects', width: 110, filter: 'agNumberColumnFilter' },
  { colId: 'members', headerName: 'Membership', flex: 2, minWidth: 160, valueGetter: ({ data }) => (data?.automatic ? 'every management server' : 'chosen') },
];

/** More objects are not listed beside the pools. */
const mostObjects = 200;

export function PoolsTab() {
  const pools = useGroup<ResourcePool[]>('/api/pools', 10);
  const [open, setOpen] = useState<string>();
  const [asking, setAsking] = useState<'create' | 'change' | 'remove'>();
  const done = () => setAsking(undefined);
  const remove = useAction(async (pool: ResourcePool) => {
    done();
    // its panel goes first: what it reads is soon not there
    setOpen(undefined);
    await request(`/api/pools/${segment(pool.id)}`, { method: 'DELETE' });
  });
  if (pools.isPending) return <LoadingState label="Reading resource pools" />;
  if (pools.isError) return <ErrorState error={pools.error} retry={() => void pools.refetch()} />;
  const chosen = pools.data.find((pool) => pool.id === open);
  const own = chosen && !chosen.automatic ? chosen : undefined;
  const servers = [...new Map(pools.data.flatMap((pool) => [...pool.members, ...pool.observers]).map((member) => [member.id, member])).values()];
  return (
    <>
      <Toolbar label="Resource pools">
        <ActionButton needs="Watchkeeper/managementGroups/resourcePools/write" size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('create')}>Create pool…</ActionButton>
        <Spacer />
        <ActionButton needs="Watchkeeper/managementGroups/resourcePools/write" size="small" icon={<EditRegular />} disabledFocusable={!own} onClick={() => setAsking('change')}>Members…</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/resourcePools/delete" size="small" icon={<DeleteRegular />} disabledFocusable={!own || remove.isPending} onClick={() => setAsking('remove')}>Remove…</ActionButton>
      </Toolbar>
      {remove.isError && <ErrorState error={remove.error} />}
      <Split label="Resource pool" side={chosen && <PoolPanel key={chosen.id} pool={chosen} />}>
        {pools.data.length === 0
          ? <EmptyState icon={<LayerRegular />} title="No resource pools" hint="They are made when a management server starts with its management group." />
          : <DataGrid label="Resource pools" rows={pools.data} columns={columns} rowId={(pool) => pool.id} openId={open} onOpen={(pool) => setOpen(pool.id)} />}
      </Split>
      {asking === 'create' && <PoolDialog servers={servers} onDone={done} />}
      {own && asking === 'change' && <PoolDialog servers={servers} pool={own} onDone={done} />}
      {own && asking === 'remove' && (
        <ConfirmDialog title={`Remove ${own.name}?`} confirm="Remove" onConfirm={() => remove.mutate(own)} onCancel={done}>
          Objects whose work it does are taken over by all management servers.
        </ConfirmDialog>
      )}
    </>
  );
}

function PoolPanel({ pool }: { pool: ResourcePool }) {
  const styles = useStyles();
  const objects = useGroup<PoolObject[]>(`/api/pools/${segment(pool.id)}/objects`, 10);
  const lines = (members: PoolMember[]) => members.map((member): [string, string] => [member.name ?? member.id, `${member.kind ?? 'unknown server'}, ${member.alive ? 'alive' : 'not alive'}, ${member.shares === 0 ? 'holds nothing' : `holds ${member.shares} ${member.shares === 1 ? 'part' : 'parts'} of the work`}`]);
  return (
    <>
      <Subtitle1 as="h2">{pool.name}</Subtitle1>
      <Facts items={[['Working', pool.hasQuorum ? 'yes' : 'no: more than half of the votes are needed'], ['Operational store votes', pool.defaultObserver ? 'yes' : 'no']]} />
      <Section title="Members"><Facts items={lines(pool.members)} /></Section>
      {pool.observers.length > 0 && <Section title="Observers"><Facts items={lines(pool.observers)} /></Section>}
      <Section title="Objects whose work it does">
        {objects.isPending && <LoadingState label="Reading the objects" />}
        {objects.isError && <ErrorState error={objects.error} retry={() => void objects.refetch()} />}
        {objects.data?.length === 0 && <Text className={styles.muted}>None: no object without an agent names this pool.</Text>}
        <ul className={styles.list} aria-label="Objects of the pool">
          {objects.data?.slice(0, mostObjects).map((object) => (
            <li key={object.id} className={styles.row}>
              <HealthIcon compact health={object.health} />
              <Link className={styles.link} to={`/objects/${segment(object.id)}`}>{object.name}</Link>
              <span className={styles.muted}>{object.server ? `on ${object.server}` : 'held by no server now'}</span>
            </li>
          ))}
        </ul>
        {(objects.data?.length ?? 0) > mostObjects && <Text className={styles.muted}>{(objects.data?.length ?? 0) - mostObjects} more are not listed.</Text>}
      </Section>
    </>
  );
}
