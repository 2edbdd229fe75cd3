// A list of resources with what is done to each: what action groups and processing rules have in common.
import { SearchBox } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, EditRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState, type ReactElement, type ReactNode } from 'react';
import { deleteResource, enableResource, type Resource } from '../../api/alerting';
import { useAction, useGroup } from '../../api/management';
import type { ActionName } from '../../api/permissions';
import { ConfirmDialog } from '../../components/Dialogs';
import { DataGrid } from '../../components/DataGrid';
import { ActionButton } from '../../components/May';
import { Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

interface ResourceTabProps<R> {
  label: string;
  path: string;
  columns: ColDef<R>[];
  icon: ReactElement;
  emptyTitle: string;
  emptyHint: string;
  newLabel: string;
  /** What changing and deleting take. */
  needs: { write: ActionName; remove: ActionName };
  /** Further buttons for the one that is selected. */
  more?: (selected: R | undefined) => ReactNode;
  /** Makes one, or changes the one that is given. */
  editor: (resource: R | undefined, onDone: () => void) => ReactNode;
}

export function ResourceTab<R extends Resource<{ enabled?: boolean }>>({ label, path, columns, icon, emptyTitle, emptyHint, newLabel, needs, more, editor }: ResourceTabProps<R>) {
  const [text, setText] = useState('');
  const [selectedKeys, setSelectedKeys] = useState<string[]>([]);
  const [editing, setEditing] = useState<{ resource: R | undefined }>();
  const [deleting, setDeleting] = useState(false);
  const list = useGroup<R[]>(path);
  const selected = (list.data ?? []).filter((one) => selectedKeys.includes(one.key));
  const only = selected.length === 1 ? selected[0] : undefined;
  const enabled = selected.some((one) => one.properties.enabled !== false);
  const enable = useAction(async () => { for (const one of selected) await enableResource(path, one.key, !enabled); });
  const remove = useAction(async () => { for (const one of selected) await deleteResource(path, one.key); });
  const none = selected.length === 0;
  return (
    <>
      <Toolbar label={label}>
        <SearchBox size="small" aria-label={`Filter ${label.toLowerCase()}`} placeholder="Filter" value={text} onChange={(_event, data) => setText(data.value)} />
        <Spacer />
        {more?.(only)}
        <ActionButton needs={needs.write} size="small" icon={<EditRegular />} disabledFocusable={!only} onClick={() => setEditing({ resource: only })}>Edit</ActionButton>
        <ActionButton needs={needs.write} size="small" disabledFocusable={none || enable.isPending} onClick={() => enable.mutate(undefined)}>{enabled || none ? 'Disable' : 'Enable'}</ActionButton>
        <ActionButton needs={needs.remove} size="small" icon={<DeleteRegular />} disabledFocusable={none} onClick={() => setDeleting(true)}>Delete</ActionButton>
        <ActionButton needs={needs.write} size="small" appearance="primary" icon={<AddRegular />} onClick={() => setEditing({ resource: undefined })}>{newLabel}</ActionButton>
      </Toolbar>
      {list.isPending && <LoadingState label={`Reading ${label.toLowerCase()}`} />}
      {list.isError && <ErrorState error={list.error} retry={() => void list.refetch()} />}
      {enable.isError && <ErrorState error={enable.error} />}
      {remove.isError && <ErrorState error={remove.error} />}
      {list.data && (
        <Split>
          {list.data.length === 0
            ? <EmptyState icon={icon} title={emptyTitle} hint={emptyHint} />
            : <DataGrid label={label} rows={list.data} columns={columns} rowId={(one) => one.key} quickFilter={text} onOpen={(one) => setEditing({ resource: one })} onSelect={(rows) => setSelectedKeys(rows.map((one) => one.key))} />}
        </Split>
      )}
      {editing && editor(editing.resource, () => setEditing(undefined))}
      {deleting && (
        <ConfirmDialog title={only ? `Delete ${only.name}?` : `Delete ${selected.length}?`} confirm="Delete" onConfirm={() => { setDeleting(false); remove.mutate(undefined); }} onCancel={() => setDeleting(false)}>
          This cannot be undone. Rules that name it stay as they are.
        </ConfirmDialog>
      )}
    </>
  );
}
