// Monitors, rules or discoveries of all packs, with what one is and its settings.
import { Badge, Button, makeStyles, SearchBox, Subtitle1, Text, tokens } from '@fluentui/react-components';
import { LayerRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { segment, useGroup, type ElementDetails, type ElementItem } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
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

export function ElementsTab({ kind, plural }: { kind: string; plural: string }) {
  const elements = useGroup<ElementItem[]>(`/api/elements?kind=${kind}`, 60);
  const [text, setText] = useState('');
  const [open, setOpen] = useState<string>();
  const chosen = elements.data?.find((one) => one.element === open);
  return (
    <>
      <Toolbar label="Filters"><SearchBox size="small" aria-label={`Filter ${plural}`} placeholder="Name, target or pack" value={text} onChange={(_event, data) => setText(data.value)} /></Toolbar>
      {elements.isPending && <LoadingState label={`Reading ${plural}`} />}
      {elements.isError && <ErrorState error={elements.error} retry={() => void elements.refetch()} />}
      {elements.data && (
        <Split label={kind} side={chosen && <ElementPanel key={chosen.element} item={chosen} />}>
          {elements.data.length === 0
            ? <EmptyState icon={<LayerRegular />} title={`No ${plural}`} hint="They come with management packs: import one under Management packs." />
            : <DataGrid label={plural} rows={elements.data} columns={columns} rowId={(one) => one.element} quickFilter={text} openId={open} onOpen={(one) => setOpen(one.element)} />}
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
      {it.parameters.length > 0 && <div><Button size="small" onClick={() => setOverriding(true)}>Override…</Button></div>}
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
