// Processing rules: when nobody is told, and who is told beside.
import { FilterRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { processingPath, type Resource } from '../../api/alerting';
import { JsonDialog } from './JsonDialog';
import { ResourceTab } from './ResourceTab';
import { shortId } from './words';

interface ProcessingProperties {
  description?: string;
  enabled?: boolean;
  scopes: string[];
  conditions?: { field: string; operator: string; values: string[] }[];
  schedule?: { timeZone?: string; effectiveFrom?: string; effectiveUntil?: string; recurrences?: { recurrenceType: string; startTime?: string; endTime?: string; daysOfWeek?: string[]; daysOfMonth?: number[] }[] };
  actions: { actionType: string; actionGroupIds?: string[] }[];
}

type Processing = Resource<ProcessingProperties>;

const template: ProcessingProperties = {
  description: 'Nobody is woken for warnings',
  enabled: true,
  scopes: [],
  conditions: [{ field: 'Severity', operator: 'Equals', values: ['Sev2', 'Sev3', 'Sev4'] }],
  schedule: { timeZone: 'UTC', recurrences: [{ recurrenceType: 'Daily', startTime: '20:00:00', endTime: '07:00:00' }] },
  actions: [{ actionType: 'RemoveAllActionGroups' }],
};

/** What a rule does, in words. */
export function does({ actions }: ProcessingProperties): string {
  return actions.map((one) => (one.actionType === 'RemoveAllActionGroups' ? 'suppresses' : `adds ${(one.actionGroupIds ?? []).map(shortId).join(', ')}`)).join('; ');
}

/** When a rule works, in words. */
export function when({ schedule }: ProcessingProperties): string {
  if (!schedule) return 'always';
  const span = [schedule.effectiveFrom && `from ${schedule.effectiveFrom}`, schedule.effectiveUntil && `until ${schedule.effectiveUntil}`].filter(Boolean).join(' ');
  const times = (schedule.recurrences ?? []).map((one) => {
    const days = one.daysOfWeek?.join(', ') ?? (one.daysOfMonth ? `day ${one.daysOfMonth.join(', ')}` : 'daily');
    return one.startTime || one.endTime ? `${days} ${one.startTime?.slice(0, 5) ?? '00:00'}–${one.endTime?.slice(0, 5) ?? '24:00'}` : days;
  });
  return [span, times.join('; '), schedule.timeZone].filter(Boolean).join(' · ');
}

const columns: ColDef<Processing>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 140, initialSort: 'asc' },
  { colId: 'enabled', headerName: 'Enabled', width: 100, valueGetter: ({ data }) => (data?.properties.enabled === false ? 'No' : 'Yes') },
  { colId: 'does', headerName: 'Does', flex: 2, minWidth: 130, valueGetter: ({ data }) => (data ? does(data.properties) : '') },
  { colId: 'of', headerName: 'For alerts with', flex: 3, minWidth: 160, valueGetter: ({ data }) => (data?.properties.conditions ?? []).map((one) => `${one.field} ${one.operator} ${one.values.join(' or ')}`).join(' and ') || 'anything' },
  { colId: 'when', headerName: 'When', flex: 3, minWidth: 160, valueGetter: ({ data }) => (data ? when(data.properties) : '') },
];

export function ProcessingTab() {
  return (
    <ResourceTab<Processing>
      label="Processing rules" path={processingPath} columns={columns} icon={<FilterRegular />} newLabel="New processing rule"
      emptyTitle="No processing rules" emptyHint="A processing rule takes all action groups from alerts while it applies (nights, planned work), or adds some: also to alerts of management packs."
      editor={(rule, onDone) => <JsonDialog title={rule ? rule.name : 'New processing rule'} path={processingPath} {...(rule ? { resource: rule } : {})} template={template} onDone={onDone} />}
    />
  );
}
