// What the lists of directories have in common: their rows, groups that lead to groups here, the result of a test.
import { Button, Field, Input, Label, makeStyles, MessageBar, MessageBarBody, MessageBarTitle, Select, Text, Textarea, tokens } from '@fluentui/react-components';
import { AddRegular, DeleteRegular, EditRegular, PlugConnectedRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState, type ReactElement, type ReactNode } from 'react';
import { directoryGroupsPath, type DirectoryGroup } from '../../api/access';
import { request } from '../../api/client';
import { segment, useAction, useGroup } from '../../api/management';
import type { ActionName } from '../../api/permissions';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

const useStyles = makeStyles({
  pairs: { display: 'flex', flexDirection: 'column', gap: '6px' },
  pair: { display: 'grid', gridTemplateColumns: 'minmax(0, 1fr) minmax(0, 1fr) auto', gap: '6px' },
  bar: { flexShrink: 0 },
  muted: { color: tokens.colorNeutralForeground2 },
});

interface DirectoryListProps<T> {
  label: string;
  path: string;
  columns: ColDef<T>[];
  idOf: (one: T) => string;
  nameOf: (one: T) => string;
  /** It is changed elsewhere. */
  isFixed: (one: T) => boolean;
  needs: { write: ActionName; remove: ActionName; test: ActionName };
  empty: { icon: ReactElement; title: string; hint: string };
  addLabel: string;
  /** What follows of deleting it. */
  removal: string;
  panel: (one: T) => ReactNode;
  dialog: (one: T | undefined, onDone: (id?: string) => void) => ReactNode;
  /** Asks before a test, or tests at once. */
  testing: (one: T, onDone: () => void) => ReactNode;
  more?: (one: T | undefined) => ReactNode;
}

/** A list of directories of one kind: they are added, changed, tested and deleted. */
export function DirectoryList<T>({ label, path, columns, idOf, nameOf, isFixed, needs, empty, addLabel, removal, panel, dialog, testing, more }: DirectoryListProps<T>) {
  const list = useGroup<T[]>(path, 15);
  const [open, setOpen] = useState<string>();
  const [asking, setAsking] = useState<'add' | 'edit' | 'delete' | 'test'>();
  const chosen = list.data?.find((one) => idOf(one) === open);
  const own = chosen !== undefined && !isFixed(chosen) ? chosen : undefined;
  const done = (id?: string) => { setAsking(undefined); if (id !== undefined) setOpen(id); };
  const remove = useAction(async (one: T) => {
    done();
    await request(`${path}/${segment(idOf(one))}`, { method: 'DELETE' });
    setOpen(undefined);
  });
  const addButton = <ActionButton needs={needs.write} size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('add')}>{addLabel}</ActionButton>;
  return (
    <>
      <Toolbar label={label}>
        {addButton}
        <Spacer />
        {more?.(chosen)}
        <ActionButton needs={needs.test} size="small" icon={<PlugConnectedRegular />} disabledFocusable={chosen === undefined} onClick={() => setAsking('test')}>Test…</ActionButton>
        <ActionButton needs={needs.write} size="small" icon={<EditRegular />} disabledFocusable={own === undefined} onClick={() => setAsking('edit')}>Change…</ActionButton>
        <ActionButton needs={needs.remove} size="small" icon={<DeleteRegular />} disabledFocusable={own === undefined || remove.isPending} onClick={() => setAsking('delete')}>Delete…</ActionButton>
      </Toolbar>
      {remove.isError && <ErrorState error={remove.error} />}
      {list.isPending && <LoadingState label={`Reading ${label.toLowerCase()}`} />}
      {list.isError && <ErrorState error={list.error} retry={() => void list.refetch()} />}
      {list.data && (
        <Split label="Directory" side={chosen !== undefined && panel(chosen)}>
          {list.data.length === 0
            ? <EmptyState {...empty} action={addButton} />
            : <DataGrid label={label} rows={list.data} columns={columns} rowId={idOf} openId={open} onOpen={(one) => setOpen(idOf(one))} />}
        </Split>
      )}
      {asking === 'add' && dialog(undefined, done)}
      {own !== undefined && asking === 'edit' && dialog(own, done)}
      {chosen !== undefined && asking === 'test' && testing(chosen, () => done())}
      {own !== undefined && asking === 'delete' && (
        <ConfirmDialog title={`Delete ${nameOf(own)}?`} confirm="Delete" onConfirm={() => remove.mutate(own)} onCancel={() => done()}>{removal}</ConfirmDialog>
      )}
    </>
  );
}

export type Pairs = [string, string][];

export function pairsOf(groups: Record<string, string>): Pairs {
  return Object.entries(groups);
}

/** Pairs with both sides, as the server takes them. */
export function groupsOf(pairs: Pairs): Record<string, string> {
  return Object.fromEntries(pairs.map(([theirs, own]) => [theirs.trim(), own] as const).filter(([theirs, own]) => theirs !== '' && own !== ''));
}

/** Groups there that fill groups here. */
export function GroupPairs({ pairs, onChange }: { pairs: Pairs; onChange: (pairs: Pairs) => void }) {
  const styles = useStyles();
  const groups = useGroup<DirectoryGroup[]>(directoryGroupsPath, 60);
  const names = (groups.data ?? []).map((group) => group.name);
  const set = (at: number, pair: [string, string]) => onChange(pairs.map((one, index) => (index === at ? pair : one)));
  return (
    // no Field: it would name every control by its own label
    <div className={styles.pairs} role="group" aria-label="Groups there and here">
      <Label>Groups</Label>
      <Text size={200} className={styles.muted}>{names.length === 0 && groups.data ? 'There is no group here yet: add one under Groups, then lead groups of there to it.' : 'Whoever is in the group there is put into the group here at each sign-in, and out of it.'}</Text>
        {pairs.map(([theirs, own], at) => (
          <div key={at} className={styles.pair}>
            <Input aria-label={`Group there ${at + 1}`} placeholder="Name of the group there" value={theirs} onChange={(_event, data) => set(at, [data.value, own])} />
            <Select aria-label={`Group here ${at + 1}`} value={own} onChange={(_event, data) => set(at, [theirs, data.value])}>
              <option value="">Group here</option>
              {[...new Set([...names, ...(own === '' ? [] : [own])])].map((name) => <option key={name} value={name}>{name}</option>)}
            </Select>
            <Button appearance="subtle" icon={<DeleteRegular />} aria-label={`Remove the pair ${at + 1}`} onClick={() => onChange(pairs.filter((_one, index) => index !== at))} />
          </div>
        ))}
        <div><Button size="small" icon={<AddRegular />} onClick={() => onChange([...pairs, ['', '']])}>Add a group</Button></div>
    </div>
  );
}

export function TrustedField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <Field label="Certificate to trust" hint="PEM, of an authority that the system does not know; mostly empty">
      <Textarea rows={3} spellCheck={false} value={value} placeholder="-----BEGIN CERTIFICATE-----" onChange={(_event, data) => onChange(data.value)} />
    </Field>
  );
}

/** A secret that comes in and does not go out. */
export function WriteOnlyField({ label, has, value, onChange }: { label: string; has: boolean; value: string; onChange: (value: string) => void }) {
  return (
    <Field label={label} hint={has ? 'There is one; it is not shown. Leave this empty to keep it.' : 'It is kept encrypted and not shown again.'}>
      <Input type="password" autoComplete="new-password" value={value} placeholder={has ? '••••••••' : ''} onChange={(_event, data) => onChange(data.value)} />
    </Field>
  );
}

export function TestResult({ title, children }: { title: string; children?: ReactNode }) {
  const styles = useStyles();
  return (
    <MessageBar intent="success" layout="multiline" className={styles.bar} role="status">
      <MessageBarBody><MessageBarTitle>{title}</MessageBarTitle>{children}</MessageBarBody>
    </MessageBar>
  );
}

/** Text of a form by the names of its fields. */
export function useText<F extends Record<string, string>>(start: F) {
  const [form, setForm] = useState(start);
  const text = (field: keyof F & string, label: string, more: { hint?: string; placeholder?: string; required?: boolean } = {}) => (
    <Field label={label} required={more.required ?? false} {...(more.hint === undefined ? {} : { hint: more.hint })}>
      <Input value={form[field] ?? ''} autoComplete="off" spellCheck={false} placeholder={more.placeholder ?? ''} onChange={(_event, data) => setForm((was) => ({ ...was, [field]: data.value }))} />
    </Field>
  );
  const set = (field: keyof F & string, value: string) => setForm((was) => ({ ...was, [field]: value }));
  return { form, text, set };
}
