// Monitors, rules or discoveries of all packs, with what one is and its settings.
import { Badge, makeStyles, SearchBox, Select, Subtitle1, Text, tokens } from '@fluentui/react-components';
import { LayerRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useMemo, useState } from 'react';
import { segment, useGroup, type ElementDetails, type ElementItem } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ActionButton } from '../../components/May';
import { Facts, Section, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { OverrideDialog } from './OverrideDialog';

const useStyles = makeStyles({
  text: { whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' },
  muted: { color: tokens.colorNeutralForeground2 },
});

const columns: ColDef<ElementItem>[] = [
  { field: 'name', headerName: 'Name', flex: 3, minWidth: 200, initialSort: 'asc' },
  { field: 'targetName', headerName: 'Target', flex: 2, minWidth: 140 },
  { field: 'pack', headerName: 'Pack', flex: 2, minWidth: 140 },
  { colId: 'enabled', headerName: 'Default', width: 110, valueGetter: ({ data }) => (data?.enabled === 'false' ? 'off' : 'on') },
  { field: 'overrides', headerName: 'Overrides', width: 110, filter: 'agNumberColumnFilter' },
  { colId: 'runs', headerName: 'Runs here', width: 115, valueGetter: ({ data }) => data?.runs ?? 'on the server' },
];

type Only = '' | 'on' | 'off' | 'overridden' | 'broken';

function passes(one: ElementItem, only: Only): boolean {
  switch (only) {
    case '': return true;
    case 'on': return one.enabled !== 'false';
    case 'off': return one.enabled === 'false';
    case 'overridden': return one.overrides > 0;
    case 'broken': return one.runs === 'no' || one.runs === 'partly';
  }
}

export function ElementsTab({ kind, plural }: { kind: string; plural: string }) {
  const styles = useStyles();
  const elements = useGroup<ElementItem[]>(`/api/elements?kind=${kind}`, 60);
  const [text, setText] = useState('');
  const [open, setOpen] = useState<string>();
  const [pack, setPack] = useState('');
  const [target, setTarget] = useState('');
  const [only, setOnly] = useState<Only>('');
  const all = useMemo(() => elements.data ?? [], [elements.data]);
  const shown = useMemo(() => all.filter((one) => (pack === '' || one.pack === pack) && (target === '' || one.target === target) && passes(one, only)), [all, pack, target, only]);
  const packs = [...new Set(all.map((one) => one.pack))].sort();
  const targets = [...new Map(all.map((one) => [one.target ?? '', one.targetName ?? '']))].filter(([id]) => id !== '').sort(([, a], [, b]) => a.localeCompare(b));
  const chosen = all.find((one) => one.element === open);
  return (
    <>
      <Toolbar label="Filters">
        <SearchBox size="small" aria-label={`Filter ${plural}`} placeholder="Name, target or pack" value={text} onChange={(_event, data) => setText(data.value)} />
        <Select size="small" aria-label="Pack" value={pack} onChange={(_event, data) => setPack(data.value)}>
          <option value="">All packs</option>
          {packs.map((one) => <option key={one} value={one}>{one}</option>)}
        </Select>
        <Select size="small" aria-label="Target" value={target} onChange={(_event, data) => setTarget(data.value)}>
          <option value="">All targets</option>
          {targets.map(([id, name]) => <option key={id} value={id}>{name}</option>)}
        </Select>
        <Select size="small" aria-label="Which" value={only} onChange={(_event, data) => setOnly(data.value as Only)}>
          <option value="">On and off</option>
          <option value="on">On by default</option>
          <option value="off">Off by default</option>
          <option value="overridden">With overrides</option>
          <option value="broken">Not or partly running here</option>
        </Select>
        {elements.data && <Text className={styles.muted}>{shown.length} of {all.length}</Text>}
      </Toolbar>
      {elements.isPending && <LoadingState label={`Reading ${plural}`} />}
      {elements.isError && <ErrorState error={elements.error} retry={() => void elements.refetch()} />}
      {elements.data && (
        <Split label={kind} side={chosen && <ElementPanel key={chosen.element} item={chosen} />}>
          {shown.length === 0
            ? all.length > 0 ? <EmptyState icon={<LayerRegular />} title="None of these" hint="Choose another pack, target or state above." /> : <EmptyState icon={<LayerRegular />} title={`No ${plural}`} hint="They come with management packs: import one under Management packs." />
            : <DataGrid label={plural} rows={shown} columns={columns} rowId={(one) => one.element} quickFilter={text} openId={open} onOpen={(one) => setOpen(one.element)} />}
        </Split>
      )}
    </>
  );
}

function ElementPanel({ item }: { item: ElementItem }) {
  const styles = useStyles();
  const details = useGroup<ElementDetails>(`/api/elements/${segment(item.element)}`, 60);
  const [overriding, setOverriding] = useState(false);
  if (details.isPending) return <LoadingState label="Reading the element" />;
  if (details.isError) return <ErrorState error={details.error} retry={() => void details.refetch()} />;
  const it = details.data;
  return (
    <>
      <Subtitle1 as="h2">{it.name}</Subtitle1>
      {it.parameters.length > 0 && <div><ActionButton needs="Watchkeeper/managementGroups/overrides/write" size="small" onClick={() => setOverriding(true)}>Override…</ActionButton></div>}
      {it.description && <Text className={styles.text}>{it.description}</Text>}
      {item.runs !== null && item.runs !== 'yes' && (
        <div><Badge appearance="tint" color={item.runs === 'no' ? 'danger' : 'warning'}>{item.runs === 'no' ? 'does not run here' : 'runs partly'}</Badge> <Text className={styles.text}>{item.reasons?.join('; ')}</Text></div>
      )}
      <Facts items={[['Element', it.element], ['Target', it.targetName], ['Pack', it.pack], ['Category', item.category], ['States', it.states?.map((one) => `${one.state}: ${one.health}`).join(', ')]]} />
      {it.parameters.length > 0 && <Section title="Defaults"><Facts items={it.parameters.map((one) => [one.module ? `${one.name} (${one.module})` : one.name, shorten(one.default)])} /></Section>}
      <Section title="Knowledge"><Text className={it.knowledge ? styles.text : styles.muted}>{it.knowledge || 'The pack has no article about it.'}</Text></Section>
      {overriding && <OverrideDialog element={item.element} onDone={() => setOverriding(false)} />}
    </>
  );
}

function shorten(text: string | null): string {
  if (text === null) return 'not set';
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
