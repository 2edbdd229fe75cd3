// Packs that came with this server: which are imported, of which is there a newer version, import with one click.
import { Badge, Subtitle1, Text } from '@fluentui/react-components';
import { ArrowDownloadRegular, BoxRegular } from '@fluentui/react-icons';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useState } from 'react';
import { ApiError, request } from '../../api/client';
import { segment, useAction, useGroup, type PackDetails, type PackProblem, type ShippedPack } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ActionButton } from '../../components/May';
import { Facts, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { PackProblems } from './PackProblems';
import { offers, shippedStatus, shippedWords } from './shipped';

const colors = { offered: 'informative', imported: 'success', newer: 'warning', ahead: 'informative' } as const;

const columns: ColDef<ShippedPack>[] = [
  { colId: 'name', headerName: 'Name', flex: 2, minWidth: 180, initialSort: 'asc', valueGetter: ({ data }) => data && (data.name ?? data.id) },
  {
    colId: 'status', headerName: 'Status', width: 190, valueGetter: ({ data }) => data && shippedWords[shippedStatus(data)],
    cellRenderer: ({ data }: ICellRendererParams<ShippedPack>) => data && <Badge appearance="tint" color={colors[shippedStatus(data)]}>{shippedWords[shippedStatus(data)]}</Badge>,
  },
  { field: 'version', headerName: 'Offered version', width: 140 },
  { field: 'importedVersion', headerName: 'Imported version', width: 145 },
  { field: 'description', headerName: 'What it does', flex: 4, minWidth: 200, tooltipField: 'description' },
];

export function ShippedPacksTab() {
  const packs = useGroup<ShippedPack[]>('/api/packs/shipped', 30);
  const [selected, setSelected] = useState<ShippedPack[]>([]);
  const [open, setOpen] = useState<string>();
  const [problems, setProblems] = useState<PackProblem[]>([]);
  const [done, setDone] = useState<string[]>([]);
  const take = useAction(async (which: ShippedPack[]) => {
    setProblems([]);
    setDone([]);
    for (const pack of which) {
      try {
        const answer = await request<{ pack: PackDetails | null; problems: PackProblem[] }>(`/api/packs/shipped/${segment(pack.id)}`, { method: 'POST' });
        setDone((was) => [...was, `${pack.name ?? pack.id} ${pack.version}`]);
        setProblems((was) => [...was, ...(answer?.problems ?? [])]);
      } catch (error) {
        if (error instanceof ApiError) setProblems((was) => [...was, ...((error.answer as { problems?: PackProblem[] } | undefined)?.problems ?? [])]);
        throw error;
      }
    }
  });
  const chosen = packs.data?.find((pack) => pack.id === open);
  const wanted = (selected.length > 0 ? selected : chosen ? [chosen] : []).filter(offers);
  const upgrades = (packs.data ?? []).filter((pack) => shippedStatus(pack) === 'newer');
  return (
    <>
      <Toolbar label="Shipped packs">
        <ActionButton needs="Watchkeeper/managementGroups/packs/write" size="small" appearance="primary" icon={<ArrowDownloadRegular />} disabledFocusable={wanted.length === 0 || take.isPending} onClick={() => take.mutate(wanted)}>Import{wanted.length > 1 ? ` (${wanted.length})` : ''}</ActionButton>
        {upgrades.length > 0 && <ActionButton needs="Watchkeeper/managementGroups/packs/write" size="small" disabledFocusable={take.isPending} onClick={() => take.mutate(upgrades)}>Import {upgrades.length === 1 ? 'the newer version' : `${upgrades.length} newer versions`}</ActionButton>}
        <Spacer />
        {take.isPending && <Text role="status">Importing…</Text>}
        {!take.isPending && done.length > 0 && <Text role="status">Imported: {done.join(', ')}</Text>}
      </Toolbar>
      {take.isError && <ErrorState error={take.error} />}
      <PackProblems problems={problems} />
      {packs.isPending && <LoadingState label="Reading the shipped packs" />}
      {packs.isError && <ErrorState error={packs.error} retry={() => void packs.refetch()} />}
      {packs.data && (
        <Split label="Shipped pack" side={chosen && <ShippedPanel pack={chosen} />}>
          {packs.data.length === 0
            ? <EmptyState icon={<BoxRegular />} title="No packs came with this server" hint="Import packs from files under Management packs." />
            : <DataGrid label="Shipped packs" rows={packs.data} columns={columns} rowId={(pack) => pack.id} openId={open} onOpen={(pack) => setOpen(pack.id)} onSelect={setSelected} />}
        </Split>
      )}
    </>
  );
}

function ShippedPanel({ pack }: { pack: ShippedPack }) {
  const status = shippedStatus(pack);
  return (
    <>
      <Subtitle1 as="h2">{pack.name ?? pack.id}</Subtitle1>
      {pack.description && <Text>{pack.description}</Text>}
      <Facts items={[['Pack', pack.id], ['Status', shippedWords[status]], ['Offered', pack.version], ['Imported', pack.importedVersion]]} />
      {status === 'offered' && <Text>Once imported, its discoveries look for this on every agent; where they find it, monitoring begins by itself.</Text>}
    </>
  );
}
