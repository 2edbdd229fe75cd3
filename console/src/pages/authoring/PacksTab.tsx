// Management packs: imported from files, with what is wrong in them; listed, exported, removed.
import { Button, MessageBar, MessageBarActions, MessageBarBody, MessageBarTitle, Switch } from '@fluentui/react-components';
import { ArrowUploadRegular, BoxRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useRef, useState } from 'react';
import { ApiError, request } from '../../api/client';
import { segment, useAction, useGroup, type PackDetails, type PackItem, type PackProblem } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ActionButton } from '../../components/May';
import { formatCell } from '../../components/format';
import { Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { PackPanel } from './PackPanel';
import { PackProblems } from './PackProblems';

const columns: ColDef<PackItem>[] = [
  { field: 'name', headerName: 'Name', flex: 3, minWidth: 180, initialSort: 'asc' },
  { field: 'id', headerName: 'ID', flex: 3, minWidth: 180 },
  { field: 'version', headerName: 'Version', width: 110 },
  { colId: 'kind', headerName: 'Kind', width: 110, valueGetter: ({ data }) => (data?.builtIn ? 'built in' : data?.sealed ? 'sealed' : 'open') },
  { field: 'importedAt', headerName: 'Imported (UTC)', width: 150, filter: false, valueFormatter: ({ value }) => (value ? formatCell(String(value), 'datetime').slice(0, 16) : '') },
  { field: 'importedBy', headerName: 'By', width: 120 },
];

interface Imported {
  file: File;
  pack: PackDetails | null;
  problems: PackProblem[];
  /** Why nothing was imported. */
  refused?: string;
}

export function PacksTab() {
  const packs = useGroup<PackItem[]>('/api/packs', 30);
  const input = useRef<HTMLInputElement>(null);
  const [builtIn, setBuiltIn] = useState(false);
  const [open, setOpen] = useState<string>();
  const [imported, setImported] = useState<Imported[]>([]);
  const take = useAction(async ({ files, force }: { files: File[]; force: boolean }) => {
    const outcomes: Imported[] = [];
    for (const file of files) outcomes.push(await importPack(file, force));
    setImported(outcomes);
    setOpen(outcomes.find((one) => one.pack)?.pack?.id);
  });
  const shown = (packs.data ?? []).filter((pack) => builtIn || !pack.builtIn);
  return (
    <>
      <Toolbar label="Management packs">
        <input
          ref={input} type="file" multiple hidden accept=".xml,.yaml,.yml" aria-label="Files of management packs"
          onChange={(event) => {
            const files = [...(event.target.files ?? [])];
            event.target.value = '';
            if (files.length > 0) take.mutate({ files, force: false });
          }}
        />
        <ActionButton needs="Watchkeeper/managementGroups/packs/write" size="small" appearance="primary" icon={<ArrowUploadRegular />} disabledFocusable={take.isPending} onClick={() => input.current?.click()}>Import…</ActionButton>
        <Switch label="With built-in libraries" checked={builtIn} onChange={(_event, data) => setBuiltIn(data.checked)} />
        <Spacer />
      </Toolbar>
      {take.isError && <ErrorState error={take.error} />}
      {imported.map((one) => (
        <div key={one.file.name}>
          <MessageBar intent={one.refused ? 'error' : one.problems.length > 0 ? 'warning' : 'success'} layout="multiline">
            <MessageBarBody>
              <MessageBarTitle>{one.refused ? `${one.file.name} was not imported` : `${one.pack?.name ?? one.file.name} ${one.pack?.version ?? ''} was imported`}</MessageBarTitle>
              {one.refused}
            </MessageBarBody>
            <MessageBarActions>
              {one.refused && one.problems.length > 0 && <ActionButton needs="Watchkeeper/managementGroups/packs/write" onClick={() => take.mutate({ files: [one.file], force: true })}>Import what works</ActionButton>}
              <Button onClick={() => setImported((was) => was.filter((other) => other !== one))}>Dismiss</Button>
            </MessageBarActions>
          </MessageBar>
          <PackProblems problems={one.problems} />
        </div>
      ))}
      {packs.isPending && <LoadingState label="Reading the packs" />}
      {packs.isError && <ErrorState error={packs.error} retry={() => void packs.refetch()} />}
      {packs.data && (
        <Split label="Management pack" side={open && <PackPanel key={open} id={open} onGone={() => setOpen(undefined)} />}>
          {shown.length === 0
            ? <EmptyState icon={<BoxRegular />} title="No pack is imported" hint="A management pack says what is found on the computers of agents and how it is watched. Import one from an XML or YAML file." action={<Button appearance="primary" onClick={() => input.current?.click()}>Import a pack</Button>} />
            : <DataGrid label="Management packs" rows={shown} columns={columns} rowId={(pack) => pack.id} openId={open} onOpen={(pack) => setOpen(pack.id)} />}
        </Split>
      )}
    </>
  );
}

async function importPack(file: File, force: boolean): Promise<Imported> {
  try {
    const answer = await request<{ pack: PackDetails | null; problems: PackProblem[] }>(`/api/packs?file=${segment(file.name)}${force ? '&force=true' : ''}`, { method: 'POST', body: file });
    return { file, pack: answer?.pack ?? null, problems: answer?.problems ?? [] };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const problems = (error.answer as { problems?: PackProblem[] } | undefined)?.problems ?? [];
    return { file, pack: null, problems, refused: error.message };
  }
}
