// Action groups by their names, as many as a rule tells.
import { Dropdown, Field, Option } from '@fluentui/react-components';
import { groupsPath, type Resource } from '../../api/alerting';
import { useGroup } from '../../api/management';

interface GroupPickerProps {
  value: readonly string[];
  onChange: (value: string[]) => void;
  required?: boolean;
}

export function GroupPicker({ value, onChange, required }: GroupPickerProps) {
  const groups = useGroup<Resource<unknown>[]>(groupsPath, 60);
  const known = (groups.data ?? []).map((one) => one.name).sort((a, b) => a.localeCompare(b));
  // a name that is written in a rule stays, whether there is such a group or not
  const isKnown = (name: string) => known.some((one) => one.toLowerCase() === name.toLowerCase());
  const lost = groups.data ? value.filter((name) => !isKnown(name)) : [];
  const options = [...known, ...value.filter((name) => !isKnown(name))];
  const selected = value.map((name) => options.find((one) => one.toLowerCase() === name.toLowerCase()) ?? name);
  return (
    <Field
      label="Action groups" required={required ?? false}
      {...(lost.length > 0 ? { validationState: 'warning' as const, validationMessage: `There is no action group ${lost.join(', ')}.` } : groups.data && known.length === 0 ? { hint: 'There are none yet: make one under Action groups.' } : {})}
    >
      <Dropdown multiselect style={{ minWidth: 0 }} placeholder="Nobody is told" value={selected.join(', ')} selectedOptions={selected} onOptionSelect={(_event, data) => onChange(data.selectedOptions)}>
        {options.map((name) => <Option key={name} value={name}>{name}</Option>)}
      </Dropdown>
    </Field>
  );
}
