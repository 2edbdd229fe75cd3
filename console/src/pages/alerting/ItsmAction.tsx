// What an alert becomes in a service desk: type, template or fields, one or many, and what follows when it is over.
import { Checkbox, Field, Input, makeStyles, Select, Textarea, tokens } from '@fluentui/react-components';
import { useState } from 'react';
import { itsmConnectionPath, type ItsmConnection, type ProductConfiguration } from '../../api/itsm';
import { useGroup } from '../../api/management';
import { actionOf, configurationOf, fieldLines, fieldsOfLines, type ItsmActionForm } from './itsmActionForm';

const useStyles = makeStyles({
  part: { display: 'flex', flexDirection: 'column', gap: '8px', margin: '8px 0 4px 10px', paddingLeft: '12px', borderLeft: `2px solid ${tokens.colorNeutralStroke2}` },
  three: { display: 'grid', gridTemplateColumns: 'repeat(3, minmax(0, 1fr))', gap: '8px', alignItems: 'start', '& .fui-Select': { minWidth: 0 }, '& .fui-Input': { minWidth: 0, width: '100%' } },
  code: { fontFamily: tokens.fontFamilyMonospace, fontSize: '12px' },
});

/** Tables that a template for a type of work item can be for. */
const tables: Record<string, string> = { Incident: 'incident', Event: 'em_event', Alert: 'em_alert' };

interface ItsmActionProps {
  connection: ItsmConnection | undefined;
  /** The `ticketConfiguration` as it was sent. */
  sent: unknown;
  onChange: (configuration: Record<string, unknown>) => void;
}

export function ItsmAction({ connection, sent, onChange }: ItsmActionProps) {
  const styles = useStyles();
  const form = actionOf(sent);
  const [lines, setLines] = useState(() => fieldLines(form.fields));
  const set = (change: Partial<ItsmActionForm>) => onChange(configurationOf({ ...form, ...change }));
  const configuration = useGroup<ProductConfiguration>(connection?.configurationAt ? `${itsmConnectionPath(connection.id)}/configuration` : undefined, 300);
  const table = tables[form.workItemType];
  const templates = (configuration.data?.templates ?? []).filter((one) => one.table === '' || table === undefined || one.table.toLowerCase() === table || one.table === form.workItemType).map((one) => one.name);
  const types = connection?.actions ?? ['Incident'];
  return (
    <div className={styles.part}>
      <div className={styles.three}>
        <Field label="Work item type">
          <Select value={form.workItemType} onChange={(_event, data) => set({ workItemType: data.value })}>{[...new Set([...types, form.workItemType])].map((type) => <option key={type} value={type}>{type}</option>)}</Select>
        </Field>
        <Field label="Template">
          {templates.length > 0 || form.template === ''
            ? <Select value={form.template} onChange={(_event, data) => set({ template: data.value })}><option value="">none</option>{[...new Set([...templates, ...(form.template ? [form.template] : [])])].map((name) => <option key={name} value={name}>{name}</option>)}</Select>
            : <Input value={form.template} onChange={(_event, data) => set({ template: data.value })} />}
        </Field>
        <Field label="When the alert is over">
          <Select value={form.onResolved} onChange={(_event, data) => set({ onResolved: data.value })}><option value="resolve">resolve it</option><option value="close">close it</option><option value="note">only add a note</option></Select>
        </Field>
      </div>
      <Field label="Fields with constant values" hint="One a line, as the product names them: category = network. They stand over the template.">
        <Textarea value={lines} rows={2} resize="vertical" spellCheck={false} textarea={{ className: styles.code }} onChange={(_event, data) => { setLines(data.value); set({ fields: fieldsOfLines(data.value) }); }} />
      </Field>
      <div>
        <Checkbox label="One work item for each configuration item" checked={form.perConfigurationItem} onChange={(_event, data) => set({ perConfigurationItem: data.checked === true })} />
        <Checkbox label="Open it again when the alert fires again" checked={form.reopen} onChange={(_event, data) => set({ reopen: data.checked === true })} />
      </div>
    </div>
  );
}
