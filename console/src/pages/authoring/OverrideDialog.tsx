// Makes an override: of what, for a class, a group or one object, to which value.
import { Checkbox, Field, Input, Radio, RadioGroup, Select } from '@fluentui/react-components';
import { useState } from 'react';
import { request } from '../../api/client';
import { groupsPath, type ComputerGroup } from '../../api/configurationManager';
import { segment, useAction, useGroup, type ClassItem, type ElementDetails, type ManagedObject, type SettingValue } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';

interface OverrideDialogProps {
  element: string;
  /** Chosen beforehand, in the health explorer. */
  setting?: SettingValue;
  object?: { id: string; name: string };
  onDone: () => void;
}

const keyOf = (setting: SettingValue) => `${setting.kind}/${setting.module ?? ''}/${setting.name}`;

export function OverrideDialog({ element, setting, object, onDone }: OverrideDialogProps) {
  const details = useGroup<ElementDetails>(`/api/elements/${segment(element)}`, 300);
  const classes = useGroup<ClassItem[]>('/api/classes', 60);
  const target = details.data?.target ?? undefined;
  const [form, setForm] = useState<'class' | 'group' | 'computers' | 'object'>(object ? 'object' : 'class');
  const objects = useGroup<ManagedObject[]>(target && form === 'object' && !object ? `/api/objects?class=${segment(target)}` : undefined, 60);
  const [chosen, setChosen] = useState(setting ? keyOf(setting) : '');
  const [value, setValue] = useState<string>();
  const [group, setGroup] = useState('');
  const [computers, setComputers] = useState('');
  const computerGroups = useGroup<ComputerGroup[]>(form === 'computers' ? groupsPath : undefined, 60);
  const [one, setOne] = useState(object?.id ?? '');
  const [enforced, setEnforced] = useState(false);
  const settings = details.data?.parameters ?? (setting ? [setting] : []);
  const which = settings.find((each) => keyOf(each) === chosen) ?? settings[0];
  const groups = (classes.data ?? []).filter((each) => each.isGroup && !each.abstract);
  const text = value ?? setting?.value ?? which?.value ?? '';
  const isBoolean = which !== undefined && ['true', 'false'].includes(which.default ?? '');
  const save = useAction(async () => {
    if (!which) return;
    await request('/api/overrides', {
      method: 'POST',
      body: {
        element, value: text, enforced,
        ...(which.kind === 'property' ? { property: which.name } : { parameter: which.name, module: which.module ?? '' }),
        ...(form === 'class' ? { context: target } : form === 'group' ? { context: group } : form === 'computers' ? { computerGroup: computers } : { object: one }),
      },
    });
    onDone();
  });
  const ready = which !== undefined && (form === 'class' ? target !== undefined : form === 'group' ? group !== '' : form === 'computers' ? computers !== '' : one !== '');
  return (
    <FormDialog title={`Override ${details.data?.name ?? element}`} submit="Save the override" ready={ready} pending={save.isPending} error={save.error ?? details.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      <Field label="Property or parameter">
        <Select value={which ? keyOf(which) : ''} onChange={(_event, data) => { setChosen(data.value); setValue(undefined); }}>
          {settings.map((each) => <option key={keyOf(each)} value={keyOf(each)}>{each.module ? `${each.name} (${each.module})` : each.name}</option>)}
        </Select>
      </Field>
      <Field label="For">
        <RadioGroup layout="horizontal" value={form} onChange={(_event, data) => setForm(data.value as typeof form)}>
          <Radio value="class" label={`All of ${details.data?.targetName ?? 'the class'}`} />
          <Radio value="group" label="A group" />
          <Radio value="computers" label="A computer group" />
          <Radio value="object" label={object ? object.name : 'One object'} />
        </RadioGroup>
      </Field>
      {form === 'group' && (
        <Field label="Group">
          <Select value={group} onChange={(_event, data) => setGroup(data.value)}>
            <option value="">{groups.length === 0 ? 'No pack has a group' : 'Choose a group'}</option>
            {groups.map((each) => <option key={each.class} value={each.class}>{each.name}</option>)}
          </Select>
        </Field>
      )}
      {form === 'computers' && (
        <Field label="Computer group">
          <Select value={computers} onChange={(_event, data) => setComputers(data.value)}>
            <option value="">{computerGroups.data?.length === 0 ? 'There is no computer group' : 'Choose a computer group'}</option>
            {computerGroups.data?.map((each) => <option key={each.id} value={each.id}>{each.sourceName ? `${each.name} · ${each.sourceName}` : each.name}</option>)}
          </Select>
        </Field>
      )}
      {form === 'object' && !object && (
        <Field label="Object">
          <Select value={one} onChange={(_event, data) => setOne(data.value)}>
            <option value="">Choose an object</option>
            {objects.data?.map((each) => <option key={each.id} value={each.id}>{each.path ? `${each.name} · ${each.path}` : each.name}</option>)}
          </Select>
        </Field>
      )}
      <Field label="Value" hint={which?.default ? `The pack’s default is ${which.default.length > 60 ? `${which.default.slice(0, 60)}…` : which.default}` : 'The pack sets none'}>
        {isBoolean
          ? <Select value={text} onChange={(_event, data) => setValue(data.value)}><option value="true">true</option><option value="false">false</option></Select>
          : <Input value={text} onChange={(_event, data) => setValue(data.value)} />}
      </Field>
      <Checkbox label="Enforced: wins over others for the same" checked={enforced} onChange={(_event, data) => setEnforced(data.checked === true)} />
    </FormDialog>
  );
}
