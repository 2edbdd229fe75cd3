// Groups that are written to the site: which, as which collection, and limited to which.
import { Button, Field, Input, makeStyles, Select, Text } from '@fluentui/react-components';
import { AddRegular, DeleteRegular } from '@fluentui/react-icons';
import { groupsPath, type Collection, type ComputerGroup, type Target } from '../../../api/configurationManager';
import { useGroup } from '../../../api/management';

const useStyles = makeStyles({
  row: { display: 'grid', gridTemplateColumns: 'repeat(3, minmax(0, 1fr)) auto', gap: '8px', alignItems: 'end', '& .fui-Input': { minWidth: 0, width: '100%' } },
});

interface TargetsProps {
  value: readonly Target[];
  collections: readonly Collection[];
  onChange: (value: Target[]) => void;
}

export function Targets({ value, collections, onChange }: TargetsProps) {
  const styles = useStyles();
  const groups = useGroup<ComputerGroup[]>(groupsPath, 60).data ?? [];
  const objects = useGroup<{ id: string; name: string }[]>('/api/groups', 60).data ?? [];
  const own = new Set(groups.map((one) => one.object));
  const others = objects.filter((one) => !own.has(one.id));
  const change = (at: number, part: Partial<Target>) => onChange(value.map((one, index) => (index === at ? { ...one, ...part } : one)));
  return (
    <>
      <Text>Groups that are written to the site as collections with direct membership rules. Rules that others make there stay. The account needs the right to change collections.</Text>
      {value.map((one, at) => (
        <div key={at} className={styles.row} role="group" aria-label={`Group ${at + 1}`}>
          <Field label="Group">
            <Select value={one.group} onChange={(_event, data) => change(at, { group: data.value })}>
              <option value="">Choose a group</option>
              {one.group !== '' && ![...groups, ...others].some((known) => known.id === one.group) && <option value={one.group}>{one.group}</option>}
              <optgroup label="Computer groups">{groups.map((known) => <option key={known.id} value={known.id}>{known.sourceName ? `${known.name} · ${known.sourceName}` : known.name}</option>)}</optgroup>
              <optgroup label="Groups of the management group">{others.map((known) => <option key={known.id} value={known.id}>{known.name}</option>)}</optgroup>
            </Select>
          </Field>
          <Field label="Collection"><Input value={one.collection} placeholder="Named like the group" onChange={(_event, data) => change(at, { collection: data.value })} /></Field>
          <Field label="Limited to">
            <Select value={one.limiting} onChange={(_event, data) => change(at, { limiting: data.value })}>
              {!collections.some((known) => known.id === one.limiting) && <option value={one.limiting}>{one.limiting || 'All Systems'}</option>}
              {collections.map((known) => <option key={known.id} value={known.id}>{known.name}</option>)}
            </Select>
          </Field>
          <Button icon={<DeleteRegular />} aria-label={`Write group ${at + 1} no longer`} onClick={() => onChange(value.filter((_one, index) => index !== at))} />
        </div>
      ))}
      <div><Button size="small" icon={<AddRegular />} onClick={() => onChange([...value, { group: '', collection: '', limiting: 'SMS00001' }])}>Write a group to the site</Button></div>
    </>
  );
}
