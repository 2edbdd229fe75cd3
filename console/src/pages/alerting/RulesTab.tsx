// Alert rules: how each does, what it fired; made, changed, previewed, taken away.
import { SearchBox } from '@fluentui/react-components';
import { AddRegular, AlertUrgentRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { rulesPath, type AlertRule } from '../../api/alerting';
import { useGroup } from '../../api/management';
import { DataGrid } from '../../components/DataGrid';
import { ActionButton } from '../../components/May';
import { formatCell } from '../../components/format';
import { Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { ActivityDialog } from './ActivityDialog';
import { RuleDialog } from './RuleDialog';
import { RulePanel } from './RulePanel';
import { activitySeverity, everyWords, kindWords, severityNames } from './words';

const statusWords: Record<string, string> = { Healthy: 'Works', Failing: 'Fails', NotYetRun: 'Has not run yet' };

const columns: ColDef<AlertRule>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 150, initialSort: 'asc' },
  { colId: 'severity', headerName: 'Severity', width: 140, valueGetter: ({ data }) => data && severityNames[data.kind === 'activity' ? activitySeverity : data.properties.severity] },
  { colId: 'kind', headerName: 'Kind', width: 110, valueGetter: ({ data }) => data && (kindWords[data.kind] ?? data.kind) },
  { colId: 'every', headerName: 'Runs', width: 140, valueGetter: ({ data }) => data && (data.kind === 'activity' ? 'at each event' : everyWords(data.properties.evaluationFrequency)) },
  { colId: 'enabled', headerName: 'Enabled', width: 100, valueGetter: ({ data }) => (data?.properties.enabled === false ? 'No' : 'Yes') },
  { field: 'fired', headerName: 'Fired now', width: 105, filter: 'agNumberColumnFilter' },
  { colId: 'status', headerName: 'State', flex: 1, minWidth: 120, valueGetter: ({ data }) => (data?.properties.enabled === false ? 'Disabled' : statusWords[data?.health.status ?? 'NotYetRun']), tooltipValueGetter: ({ data }) => data?.health.error },
  { colId: 'last', headerName: 'Last run (UTC)', width: 160, filter: false, valueGetter: ({ data }) => (data?.health.lastRun ? formatCell(data.health.lastRun, 'datetime').slice(0, 19) : '') },
];

export function RulesTab() {
  const [text, setText] = useState('');
  const [openKey, setOpenKey] = useState<string>();
  const [making, setMaking] = useState<'log' | 'activity'>();
  const rules = useGroup<AlertRule[]>(rulesPath);
  const open = rules.data?.find((rule) => rule.key === openKey);
  return (
    <>
      <Toolbar label="Alert rules">
        <SearchBox size="small" aria-label="Filter rules" placeholder="Filter" value={text} onChange={(_event, data) => setText(data.value)} />
        <Spacer />
        <ActionButton needs="Microsoft.Insights/scheduledQueryRules/write" size="small" appearance="primary" icon={<AddRegular />} onClick={() => setMaking('log')}>New rule</ActionButton>
        <ActionButton needs="Microsoft.Insights/scheduledQueryRules/write" size="small" icon={<AddRegular />} onClick={() => setMaking('activity')}>New activity log rule</ActionButton>
      </Toolbar>
      {rules.isPending && <LoadingState label="Reading alert rules" />}
      {rules.isError && <ErrorState error={rules.error} retry={() => void rules.refetch()} />}
      {rules.data && (
        <Split label="Alert rule" side={open && <RulePanel key={open.key} rule={open} onClose={() => setOpenKey(undefined)} />}>
          {rules.data.length === 0
            ? <EmptyState icon={<AlertUrgentRegular />} title="No alert rules" hint="A rule runs a query every few minutes and fires an alert when its result crosses a threshold. Make one with New rule; a preview says how often it would have fired." />
            : <DataGrid label="Alert rules" rows={rules.data} columns={columns} rowId={(rule) => rule.key} quickFilter={text} openId={openKey} onOpen={(rule) => setOpenKey(rule.key)} />}
        </Split>
      )}
      {making === 'log' && <RuleDialog onDone={() => setMaking(undefined)} />}
      {making === 'activity' && <ActivityDialog onDone={() => setMaking(undefined)} />}
    </>
  );
}
