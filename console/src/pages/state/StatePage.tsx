// The state view: objects of a class with the health of the whole and of its aspects.
import { Combobox, Option, SearchBox, Switch } from '@fluentui/react-components';
import { BoxRegular } from '@fluentui/react-icons';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useMemo, useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router-dom';
import { aspects, segment, shortName, useGroup, type Aspect, type ClassItem, type Health, type ManagedObject } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ago, formatCell } from '../../components/format';
import { HealthIcon, healthRank, healthWords } from '../../components/HealthIcon';
import { Page, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

const titles: Record<Aspect, string> = { availability: 'Availability', performance: 'Performance', configuration: 'Configuration', security: 'Security' };

const health = (colId: string, headerName: string, of: (object: ManagedObject) => Health, whole: boolean): ColDef<ManagedObject> => ({
  colId, headerName, width: whole ? 190 : 108, filter: whole ? 'agTextColumnFilter' : false,
  valueGetter: ({ data }) => (data ? healthWords[of(data)] : ''),
  comparator: (_a, _b, left, right) => healthRank[left.data ? of(left.data) : 'Uninitialized'] - healthRank[right.data ? of(right.data) : 'Uninitialized'],
  cellRenderer: ({ data }: ICellRendererParams<ManagedObject>) => data && <HealthIcon health={of(data)} compact={!whole} outOfContact={data.outOfContact} inMaintenance={whole && data.maintenanceUntil !== null} />,
  ...(whole ? { initialSort: 'desc' as const } : {}),
});

const columns: ColDef<ManagedObject>[] = [
  health('health', 'Health', (object) => object.health, true),
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 150 },
  { field: 'path', headerName: 'Path', flex: 2, minWidth: 120 },
  { colId: 'class', headerName: 'Class', flex: 2, minWidth: 140, valueGetter: ({ data }) => data?.classes.map(shortName).join(', ') },
  ...aspects.map((aspect) => health(aspect, titles[aspect], (object) => object.aspects[aspect], false)),
  {
    field: 'since', headerName: 'Since', width: 110, filter: false,
    valueFormatter: ({ value }) => (value ? ago(String(value), Date.now()) : ''),
    tooltipValueGetter: ({ value }) => (value ? formatCell(String(value), 'datetime') : ''),
  },
];

export default function StatePage() {
  const navigate = useNavigate();
  const [parameters, setParameters] = useSearchParams();
  const [text, setText] = useState('');
  const [unhealthy, setUnhealthy] = useState(false);
  const [typed, setTyped] = useState<string>();
  const className = parameters.get('class') ?? '';
  const classes = useGroup<ClassItem[]>('/api/classes', 60);
  const objects = useGroup<ManagedObject[]>(className ? `/api/objects?class=${segment(className)}` : '/api/objects', 10);
  const choices = useMemo(() => (classes.data ?? []).filter((one) => one.objects > 0).sort((a, b) => a.name.localeCompare(b.name)), [classes.data]);
  const shown = useMemo(() => (objects.data ?? []).filter((object) => !unhealthy || object.health === 'Error' || object.health === 'Warning'), [objects.data, unhealthy]);
  const label = choices.find((one) => one.class === className)?.name ?? className;
  const match = (typed ?? '').toLowerCase();
  const count = (state: Health) => (objects.data ?? []).filter((object) => object.health === state).length;
  return (
    <Page title="State" summary={objects.data && `${objects.data.length} objects: ${count('Error')} critical, ${count('Warning')} in warning, ${count('Success')} healthy`}>
      <Toolbar label="Filters">
        <Combobox
          size="small" aria-label="Class" placeholder="All classes" clearable value={typed ?? label} selectedOptions={[className]}
          onChange={(event) => setTyped(event.target.value)} onBlur={() => setTyped(undefined)}
          onOptionSelect={(_event, data) => {
            setTyped(undefined);
            setParameters(data.optionValue ? { class: data.optionValue } : {}, { replace: true });
          }}
        >
          {choices.filter((one) => one.name.toLowerCase().includes(match)).map((one) => <Option key={one.class} value={one.class} text={one.name}>{`${one.name} (${one.objects})`}</Option>)}
        </Combobox>
        <SearchBox size="small" aria-label="Filter objects" placeholder="Name or path" value={text} onChange={(_event, data) => setText(data.value)} />
        <Switch label="Only unhealthy" checked={unhealthy} onChange={(_event, data) => setUnhealthy(data.checked)} />
      </Toolbar>
      {objects.isPending && <LoadingState label="Reading objects" />}
      {objects.isError && <ErrorState error={objects.error} retry={() => void objects.refetch()} />}
      {objects.data && (
        <Split>
          {shown.length === 0 ? (
            <EmptyState icon={<BoxRegular />} title={objects.data.length > 0 ? 'Nothing is unhealthy' : 'No objects'} hint={objects.data.length > 0 ? 'Every object here is healthy or not monitored.' : 'Objects are found by the discoveries of management packs on the computers of agents. Import a pack under Authoring, or install an agent.'} />
          ) : (
            <DataGrid label="Objects" rows={shown} columns={columns} rowId={(object) => object.id} quickFilter={text} onOpen={(object) => navigate(`/objects/${segment(object.id)}`)} />
          )}
        </Split>
      )}
    </Page>
  );
}
