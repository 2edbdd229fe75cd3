// Computer groups of the workspace by their names; chosen by id.
import { Dropdown, Field, Option } from '@fluentui/react-components';
import { groupsPath, type ComputerGroup } from '../api/configurationManager';
import { useGroup } from '../api/management';

interface ComputerGroupPickerProps {
  label: string;
  hint?: string;
  /** What it says while none is chosen. */
  placeholder?: string;
  value: readonly string[];
  onChange: (value: string[]) => void;
}

export function ComputerGroupPicker({ label, hint, placeholder = 'All computers', value, onChange }: ComputerGroupPickerProps) {
  const groups = useGroup<ComputerGroup[]>(groupsPath, 60);
  const known = [...(groups.data ?? [])].sort((left, right) => left.name.localeCompare(right.name));
  // a rule may name a group by its name or alias, and one that is gone
  const find = (text: string) => known.find((one) => one.id === text || one.name.toLowerCase() === text.toLowerCase() || one.alias === text);
  const lost = groups.data ? value.filter((text) => !find(text)) : [];
  const selected = value.map((text) => find(text)?.id ?? text);
  const nameOf = (id: string) => find(id)?.name ?? id;
  return (
    <Field
      label={label}
      {...(lost.length > 0 ? { validationState: 'warning' as const, validationMessage: `There is no computer group ${lost.join(', ')}.` } : hint === undefined ? {} : { hint })}
    >
      <Dropdown
        multiselect style={{ minWidth: 0 }} placeholder={placeholder} value={selected.map(nameOf).join(', ')} selectedOptions={selected}
        onOptionSelect={(_event, data) => onChange(data.selectedOptions.map((id) => value.find((text) => find(text)?.id === id) ?? id))}
      >
        {known.map((one) => <Option key={one.id} value={one.id} text={one.name}>{one.sourceName ? `${one.name} (${one.sourceName})` : one.name}</Option>)}
        {lost.map((text) => <Option key={text} value={text}>{text}</Option>)}
      </Dropdown>
    </Field>
  );
}
