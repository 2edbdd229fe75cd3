// Processing rules: when nobody is told, and who is told beside.
import { FilterRegular } from '@fluentui/react-icons';
import type { ColDef } from 'ag-grid-community';
import { processingPath, type Resource } from '../../api/alerting';
import { ProcessingDialog } from './ProcessingDialog';
import { fields, operators, type ProcessingProperties } from './ProcessingForm';
import { ResourceTab } from './ResourceTab';
import { shortId } from './words';

type Processing = Resource<ProcessingProperties>;

/** What a rule does, in words. */
export function does({ actions }: ProcessingProperties): string {
  return actions.map((one) => (one.actionType === 'RemoveAllActionGroups' ? 'Tells nobody' : `Tells ${(one.actionGroupIds ?? []).map(shortId).join(', ')}`)).join('; ');
}

/** Which alerts a rule is about, in words. */
function forWhich({ conditions, scopes = [] }: ProcessingProperties): string {
  const filters = (conditions ?? []).map(({ field, operator, values }) => `${fields.find(([name]) => name === field)?.[1] ?? field} ${operators.find(([name]) => name === operator)?.[1] ?? operator} ${values.join(' or ')}`);
  return [...filters, ...(scopes.length > 0 ? [`within ${scopes.map(shortId).join(' or ')}`] : [])].join(' and ');
}

/** When a rule works, in words. */
export function when({ schedule }: ProcessingProperties): string {
  if (!schedule) return 'always';
  const local = (time: string) => time.slice(0, 16).replace('T', ' ');
  const span = [schedule.effectiveFrom && `from ${local(schedule.effectiveFrom)}`, schedule.effectiveUntil && `until ${local(schedule.effectiveUntil)}`].filter(Boolean).join(' ');
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
  { colId: 'of', headerName: 'For alerts with', flex: 3, minWidth: 160, valueGetter: ({ data }) => data && (forWhich(data.properties) || 'all alerts') },
  { colId: 'when', headerName: 'When', flex: 3, minWidth: 160, valueGetter: ({ data }) => (data ? when(data.properties) : '') },
];

export function ProcessingTab() {
  return (
    <ResourceTab<Processing>
      needs={{ write: 'Microsoft.AlertsManagement/actionRules/write', remove: 'Microsoft.AlertsManagement/actionRules/delete' }}
      label="Processing rules" path={processingPath} columns={columns} icon={<FilterRegular />} newLabel="New processing rule"
      emptyTitle="No processing rules" emptyHint="A processing rule takes all action groups from alerts while it applies (nights, planned work), or adds some: also to alerts of management packs."
      editor={(rule, onDone) => <ProcessingDialog rule={rule} onDone={onDone} />}
    />
  );
}
