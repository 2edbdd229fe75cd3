// Another value for an override that is there.
import { Checkbox, Field, Input, Select } from '@fluentui/react-components';
import { useState } from 'react';
import { request } from '../../api/client';
import { segment, useAction, type OverrideItem } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';

/** What an override holds for, in words. */
export function scopeOf(one: OverrideItem): string {
  return one.object ? `object ${one.objectName ?? one.object}` : `all of ${one.contextName ?? one.context}`;
}

export function ChangeOverrideDialog({ override: one, onDone }: { override: OverrideItem; onDone: () => void }) {
  const [value, setValue] = useState(one.value);
  const [enforced, setEnforced] = useState(one.enforced);
  const save = useAction(async () => {
    await request(`/api/overrides/${segment(one.id)}`, { method: 'PUT', body: { value, enforced } });
    onDone();
  });
  const isBoolean = ['true', 'false'].includes(one.value.toLowerCase());
  return (
    <FormDialog title={`${one.name} for ${scopeOf(one)}`} submit="Save the override" ready={value !== one.value || enforced !== one.enforced} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      <Field label="Value" hint={`Of ${one.elementName ?? one.element}; now ${one.value}, by ${one.changedBy}`}>
        {isBoolean
          ? <Select value={value.toLowerCase()} onChange={(_event, data) => setValue(data.value)}><option value="true">true</option><option value="false">false</option></Select>
          : <Input value={value} onChange={(_event, data) => setValue(data.value)} />}
      </Field>
      <Checkbox label="Enforced: wins over others for the same" checked={enforced} onChange={(_event, data) => setEnforced(data.checked === true)} />
    </FormDialog>
  );
}
