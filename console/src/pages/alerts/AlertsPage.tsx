// Active alerts: the list, its filters, what is done with the selected ones, and the details of one.
import { Dropdown, Option, SearchBox, ToggleButton } from '@fluentui/react-components';
import { AlertOnRegular } from '@fluentui/react-icons';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useCallback, useMemo, useState, type ReactNode } from 'react';
import { useSearchParams } from 'react-router-dom';
import { type Alert, type ResolutionState, type Severity } from '../../api/alerts';
import { useGroup } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { duration, formatCell } from '../../components/format';
import { SeverityIcon, severityRank, severityWords } from '../../components/HealthIcon';
import { Page, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { WorkItemLinks, workItemNumbers } from '../itsm/WorkItemLinks';
import { AlertActions } from './AlertActions';
import { AlertDetailsPanel } from './AlertDetailsPanel';

const severities: Severity[] = ['Error', 'Warning', 'Information'];

const columns: ColDef<Alert>[] = [
  {
    colId: 'severity', headerName: 'Severity', width: 120, initialSort: 'desc',
    valueGetter: ({ data }) => (data ? severityWords[data.severity] : ''),
    comparator: (_a, _b, left, right) => severityRank[left.data?.severity ?? 'Information'] - severityRank[right.data?.severity ?? 'Information'],
    cellRenderer: ({ data }: ICellRendererParams<Alert>) => data && <SeverityIcon severity={data.severity} />,
  },
  { field: 'name', headerName: 'Name', flex: 3, minWidth: 180, tooltipField: 'description' },
  { field: 'objectName', headerName: 'Source', flex: 2, minWidth: 120 },
  { field: 'computer', headerName: 'Computer', flex: 2, minWidth: 120 },
  { field: 'resolutionState', headerName: 'State', width: 130 },
  {
    colId: 'age', headerName: 'Age', width: 90, filter: false,
    valueGetter: ({ data }) => Date.now() - new Date(data?.timeRaised ?? 0).getTime(),
    valueFormatter: ({ value }) => duration(Math.max(0, Number(value) / 1000)),
    tooltipValueGetter: ({ data }) => formatCell(data?.timeRaised ?? '', 'datetime'),
  },
  { field: 'repeatCount', headerName: 'Repeats', width: 95, filter: 'agNumberColumnFilter' },
  { field: 'owner', headerName: 'Owner', width: 120 },
  {
    colId: 'workItems', headerName: 'Work items', width: 125, valueGetter: ({ data }) => (data ? workItemNumbers(data) : ''),
    cellRenderer: ({ data }: ICellRendererParams<Alert>) => data && <WorkItemLinks alert={data} />,
  },
  { field: 'priority', headerName: 'Priority', width: 95 },
];

export default function AlertsPage() {
  return <AlertsView title="Active alerts" />;
}

interface AlertsViewProps {
  title: string;
  /** Between the title and the filters. */
  above?: ReactNode;
  /** Which alerts are shown at all. */
  only?: (alert: Alert) => boolean;
  /** What is said when nothing is open. */
  noneTitle?: string;
  noneHint?: string;
}

export function AlertsView({ title, above, only, noneTitle = 'No open alerts', noneHint = 'Nothing needs you. Alerts come from monitors and rules of management packs: import the packs for what you run under Authoring.' }: AlertsViewProps) {
  const [parameters, setParameters] = useSearchParams();
  const [text, setText] = useState(parameters.get('text') ?? '');
  const [hidden, setHidden] = useState<Severity[]>([]);
  const [selected, setSelected] = useState<Alert[]>([]);
  const state = parameters.get('state') ?? 'open';
  const openId = parameters.get('alert') ?? undefined;
  const alerts = useGroup<Alert[]>(`/api/alerts?state=${encodeURIComponent(state)}`, 10);
  const states = useGroup<ResolutionState[]>('/api/resolution-states', 300);
  const set = useCallback((name: string, value: string | undefined) => setParameters((was) => {
    const next = new URLSearchParams(was);
    if (value) next.set(name, value);
    else next.delete(name);
    return next;
  }, { replace: true }), [setParameters]);
  const all = useMemo(() => (alerts.data ?? []).filter((alert) => only?.(alert) ?? true), [alerts.data, only]);
  const shown = useMemo(() => all.filter((alert) => !hidden.includes(alert.severity)), [all, hidden]);
  const chosen = selected.length > 0 ? selected : shown.filter((alert) => alert.id === openId);
  const stateNames: [string, string][] = [['open', 'All open'], ...(states.data ?? []).map((one): [string, string] => [String(one.code), one.name]), ['all', 'All, with closed']];
  return (
    <Page title={title} summary={alerts.data && `${shown.length} of ${all.length}`} actions={<AlertActions alerts={chosen} states={states.data ?? []} />}>
      {above}
      <Toolbar label="Filters">
        {severities.map((severity) => (
          <ToggleButton key={severity} size="small" checked={!hidden.includes(severity)} onClick={() => setHidden((was) => (was.includes(severity) ? was.filter((one) => one !== severity) : [...was, severity]))}>
            <SeverityIcon severity={severity} />&nbsp;{all.filter((alert) => alert.severity === severity).length}
          </ToggleButton>
        ))}
        <Dropdown
          size="small" style={{ minWidth: '140px' }} aria-label="Resolution state" value={stateNames.find(([value]) => value === state)?.[1] ?? state} selectedOptions={[state]}
          onOptionSelect={(_event, data) => set('state', data.optionValue === 'open' ? undefined : data.optionValue)}
        >
          {stateNames.map(([value, name]) => <Option key={value} value={value}>{name}</Option>)}
        </Dropdown>
        <SearchBox size="small" aria-label="Filter alerts by text or computer" placeholder="Text or computer" value={text} onChange={(_event, data) => { setText(data.value); set('text', data.value); }} />
      </Toolbar>
      {alerts.isPending && <LoadingState label="Reading alerts" />}
      {alerts.isError && <ErrorState error={alerts.error} retry={() => void alerts.refetch()} />}
      {alerts.data && (
        <Split label="Alert" side={openId && <AlertDetailsPanel id={openId} onClose={() => set('alert', undefined)} />}>
          {all.length === 0 ? (
            <EmptyState
              icon={<AlertOnRegular />} title={state === 'open' ? noneTitle : 'No alerts in this state'}
              hint={state === 'open' ? noneHint : 'Choose another resolution state above; closed alerts go when they are groomed.'}
            />
          ) : (
            <DataGrid label="Alerts" rows={shown} columns={columns} rowId={(alert) => alert.id} quickFilter={text} openId={openId} onOpen={(alert) => set('alert', alert.id)} onSelect={setSelected} />
          )}
        </Split>
      )}
    </Page>
  );
}
