// A group by rule: of which class its members are, what holds for them, which objects are in it in any case or never.
import { Button, Field, Input, makeStyles, Radio, RadioGroup, Select, Tag, TagGroup, Textarea } from '@fluentui/react-components';
import { AddRegular, DeleteRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { request } from '../../api/client';
import { segment, useAction, useGroup, type ClassDetails, type ClassItem, type GroupCondition, type GroupDefinition, type ManagedObject } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';

export const operatorWords: Record<string, string> = {
  Equal: 'is', NotEqual: 'is not', ContainsSubstring: 'contains', DoesNotContainSubstring: 'does not contain',
  MatchesWildcard: 'is like (* and ?)', DoesNotMatchWildcard: 'is not like (* and ?)',
  MatchesRegularExpression: 'matches regex', DoesNotMatchRegularExpression: 'does not match regex',
  Greater: 'is greater than', GreaterEqual: 'is at least', Less: 'is less than', LessEqual: 'is at most',
};

const useStyles = makeStyles({
  condition: { display: 'grid', gridTemplateColumns: 'minmax(0, 4fr) minmax(0, 4fr) minmax(0, 4fr) auto', gap: '6px', marginBottom: '6px' },
  tags: { flexWrap: 'wrap', gap: '4px', marginTop: '6px' },
});

const empty: GroupDefinition = { name: '', description: '', class: '', join: 'all', conditions: [], include: [], exclude: [] };

interface GroupDialogProps {
  /** The group that is changed. */
  group?: string;
  definition?: GroupDefinition;
  onDone: () => void;
}

export function GroupDialog({ group, definition, onDone }: GroupDialogProps) {
  const styles = useStyles();
  const [it, setIt] = useState(definition ?? empty);
  const set = (change: Partial<GroupDefinition>) => setIt((was) => ({ ...was, ...change }));
  const classes = useGroup<ClassItem[]>('/api/classes', 300);
  const details = useGroup<ClassDetails>(it.class ? `/api/classes/${segment(it.class)}` : undefined, 300);
  const objects = useGroup<ManagedObject[]>(it.class ? `/api/objects?class=${segment(it.class)}` : undefined, 60);
  const save = useAction(async () => {
    await request(group ? `/api/groups/${segment(group)}` : '/api/groups', { method: group ? 'PUT' : 'POST', body: { ...it, name: it.name.trim() } });
    onDone();
  });
  const choices = (classes.data ?? []).filter((one) => !one.internal || one.class === it.class).sort((a, b) => a.name.localeCompare(b.name));
  const properties = details.data?.properties ?? [];
  const change = (at: number, part: Partial<GroupCondition>) => set({ conditions: it.conditions.map((one, i) => (i === at ? { ...one, ...part } : one)) });
  const ready = it.name.trim() !== '' && it.class !== '' && it.conditions.every((one) => one.property !== '' && one.value !== '');
  const options = (list: ClassItem[]) => list.map((one) => <option key={one.class} value={one.class}>{one.objects > 0 ? `${one.name} (${one.objects})` : one.name}</option>);
  return (
    <FormDialog title={group ? `Change ${definition?.name ?? 'the group'}` : 'Create a group'} submit={group ? 'Save' : 'Create'} ready={ready} pending={save.isPending} error={save.error ?? classes.error ?? details.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      <Field label="Name" required><Input value={it.name} onChange={(_event, data) => set({ name: data.value })} /></Field>
      <Field label="About"><Textarea value={it.description} rows={2} onChange={(_event, data) => set({ description: data.value })} /></Field>
      <Field label="Members are objects of the class" required>
        <Select value={it.class} onChange={(_event, data) => set({ class: data.value, conditions: [], include: [], exclude: [] })}>
          <option value="">Choose a class</option>
          <optgroup label="Classes with objects">{options(choices.filter((one) => one.objects > 0))}</optgroup>
          <optgroup label="Other classes">{options(choices.filter((one) => one.objects === 0))}</optgroup>
        </Select>
      </Field>
      {it.class !== '' && (
        <>
          <div role="group" aria-label="Conditions">
            {it.conditions.length > 1 && (
              <RadioGroup layout="horizontal" aria-label="How conditions go together" value={it.join} onChange={(_event, data) => set({ join: data.value as 'all' | 'any' })}>
                <Radio value="all" label="All of these hold" />
                <Radio value="any" label="One of these holds" />
              </RadioGroup>
            )}
            {it.conditions.map((one, at) => (
              <div key={at} className={styles.condition}>
                <Select aria-label={`Property ${at + 1}`} value={one.property} onChange={(_event, data) => change(at, { property: data.value })}>
                  <option value="">Property</option>
                  {properties.map((property) => <option key={`${property.class}/${property.property}`} value={property.property}>{property.name}</option>)}
                </Select>
                <Select aria-label={`Operator ${at + 1}`} value={one.operator} onChange={(_event, data) => change(at, { operator: data.value })}>
                  {Object.entries(operatorWords).map(([operator, words]) => <option key={operator} value={operator}>{words}</option>)}
                </Select>
                <Input aria-label={`Value ${at + 1}`} value={one.value} onChange={(_event, data) => change(at, { value: data.value })} />
                <Button appearance="subtle" icon={<DeleteRegular />} aria-label={`Remove condition ${at + 1}`} onClick={() => set({ conditions: it.conditions.filter((_one, i) => i !== at) })} />
              </div>
            ))}
            <Button size="small" icon={<AddRegular />} onClick={() => set({ conditions: [...it.conditions, { property: '', operator: 'Equal', value: '' }] })}>Add a condition</Button>
          </div>
          <Listed label="Always members" hint={it.conditions.length === 0 ? 'Without a condition the group holds these alone, or the whole class where none is chosen' : 'Besides what the conditions match'} ids={it.include} objects={objects.data} onChange={(include) => set({ include })} />
          <Listed label="Never members" ids={it.exclude} objects={objects.data} onChange={(exclude) => set({ exclude })} />
        </>
      )}
    </FormDialog>
  );
}

function Listed({ label, hint, ids, objects, onChange }: { label: string; hint?: string; ids: string[]; objects: ManagedObject[] | undefined; onChange: (ids: string[]) => void }) {
  const styles = useStyles();
  const known = [...(objects ?? [])].sort((a, b) => a.name.localeCompare(b.name));
  const nameOf = (id: string) => known.find((one) => one.id === id)?.name ?? id;
  return (
    <div>
      <Field label={label} {...(hint ? { hint } : {})}>
        <Select value="" onChange={(_event, data) => { if (data.value !== '') onChange([...ids, data.value]); }}>
          <option value="">Add an object</option>
          {known.filter((one) => !ids.includes(one.id)).map((one) => <option key={one.id} value={one.id}>{one.path ? `${one.name} · ${one.path}` : one.name}</option>)}
        </Select>
      </Field>
      {ids.length > 0 && (
        <TagGroup className={styles.tags} aria-label={label} onDismiss={(_event, data) => onChange(ids.filter((id) => id !== data.value))}>
          {ids.map((id) => <Tag key={id} value={id} size="small" dismissible>{nameOf(id)}</Tag>)}
        </TagGroup>
      )}
    </div>
  );
}
