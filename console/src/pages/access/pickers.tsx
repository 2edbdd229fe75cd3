// Choosing whom a role is given, which role, and where it holds.
import { Combobox, Field, Link as FluentLink, makeStyles, Option, OptionGroup, Select, Text, tokens } from '@fluentui/react-components';
import { useState } from 'react';
import { usePrincipals, type Named, type PrincipalType, type RoleDefinition } from '../../api/access';
import { useMetadata } from '../../api/logs';
import { useGroup, type GroupItem } from '../../api/management';
import { scopeWords, useMay, usePermissions, type Place } from '../../api/permissions';
import { Preformatted } from '../../components/Page';
import { meansSomething } from './words';

const useStyles = makeStyles({
  muted: { color: tokens.colorNeutralForeground2, overflowWrap: 'anywhere' },
  row: { display: 'flex', alignItems: 'center', gap: '8px' },
  option: { display: 'flex', flexDirection: 'column', minWidth: 0, overflowWrap: 'anywhere' },
});

/** So many are offered at once; typing narrows them. */
const mostOffered = 50;
const kinds: PrincipalType[] = ['User', 'Group', 'ServicePrincipal'];
const headings: Record<PrincipalType, string> = { User: 'Users', Group: 'Groups', ServicePrincipal: 'App registrations' };

interface PrincipalPickerProps {
  label: string;
  hint?: string;
  /** The id of who was chosen, or what was typed. */
  value: string;
  only?: readonly PrincipalType[];
  /** Who is not offered. */
  without?: readonly string[];
  onChange: (idOrName: string) => void;
  /** In a row of controls: its label stands before it. */
  inRow?: boolean;
}

/** Somebody by name; who is not listed can be typed, by name or id. */
export function PrincipalPicker({ label, hint, value, only = kinds, without = [], onChange, inRow = false }: PrincipalPickerProps) {
  const styles = useStyles();
  const all = usePrincipals();
  const [text, setText] = useState<string>();
  const chosen = all.find((one) => one.id === value);
  const typed = (text ?? '').toLowerCase();
  const fits = (one: Named) => only.includes(one.type) && !without.includes(one.id) && (typed === '' || `${one.name} ${one.detail}`.toLowerCase().includes(typed));
  const offered = all.filter(fits).slice(0, mostOffered);
  return (
    <Field label={label} required={!inRow} {...(inRow ? { className: styles.row } : {})} {...(hint === undefined ? {} : { hint })}>
      <Combobox
        freeform size={inRow ? 'small' : 'medium'} placeholder="Name" value={text ?? chosen?.name ?? value} selectedOptions={chosen ? [chosen.id] : []}
        onChange={(event) => { setText(event.target.value); onChange(event.target.value.trim()); }}
        onOptionSelect={(_event, data) => { if (data.optionValue !== undefined) { setText(undefined); onChange(data.optionValue); } }}
        onOpenChange={(_event, data) => { if (!data.open && chosen) setText(undefined); }}
      >
        {kinds.filter((kind) => offered.some((one) => one.type === kind)).map((kind) => (
          <OptionGroup key={kind} label={headings[kind]}>
            {offered.filter((one) => one.type === kind).map((one) => (
              <Option key={one.id} value={one.id} text={one.name}>
                <span className={styles.option}>
                  <span>{one.name}</span>
                  {one.detail && <Text size={200} className={styles.muted}>{one.detail}</Text>}
                </span>
              </Option>
            ))}
          </OptionGroup>
        ))}
        {offered.length === 0 && <Option disabled text="">{typed === '' ? 'Nobody is listed: type a name or an id' : `Nobody here is called ${text ?? ''}`}</Option>}
      </Combobox>
    </Field>
  );
}

/** A role with what it allows. */
export function RolePicker({ roles, value, scope, onChange }: { roles: RoleDefinition[]; value: string; scope: string; onChange: (id: string) => void }) {
  const { actions } = usePermissions();
  const [open, setOpen] = useState(false);
  const role = roles.find((one) => one.id === value);
  const custom = roles.filter((one) => !one.builtIn);
  return (
    <>
      <Field label="Role" required {...(role ? { hint: role.description } : {})}>
        <Select value={value} onChange={(_event, data) => onChange(data.value)}>
          <option value="">Choose a role</option>
          <optgroup label="Built in">{roles.filter((one) => one.builtIn).map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</optgroup>
          {custom.length > 0 && <optgroup label="Made here">{custom.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}</optgroup>}
        </Select>
      </Field>
      {role && !meansSomething(role, scope, actions) && <Text role="status">At the place below this role allows nothing: what it allows is asked for elsewhere.</Text>}
      {role && (
        <div>
          <FluentLink as="button" type="button" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? 'Hide what it allows' : 'What it allows'}</FluentLink>
          {open && <Preformatted label={`Actions of ${role.name}`}>{definitionText(role)}</Preformatted>}
        </div>
      )}
    </>
  );
}

/** The lists of a role as lines. */
export function definitionText(role: RoleDefinition): string {
  const part = (title: string, list: string[]) => (list.length === 0 ? [] : [`${title}\n${list.map((line) => `  ${line}`).join('\n')}`]);
  return [...part('May', role.actions), ...part('May not', role.notActions), ...part('May with data', role.dataActions), ...part('May not with data', role.notDataActions)].join('\n');
}

/** The tenant, the workspace, one of its tables, the management group, or one group of objects in it. */
export function ScopePicker({ value, onChange }: { value: string; onChange: (scope: string) => void }) {
  const { places } = usePermissions();
  const may = useMay();
  const workspace = places.find((place) => place.kind === 'workspace');
  const tables = `${workspace?.scope ?? ''}/tables/`;
  const isTable = value.startsWith(tables);
  const managementGroup = places.find((place) => place.kind === 'managementGroup');
  const groups = `${managementGroup?.scope ?? ''}/groups/`;
  const isGroup = value.startsWith(groups);
  const words = (place: Place) => (place.kind === 'tenant' ? 'Everything: the tenant' : scopeWords(place.scope, places).replace(/^the /, 'The '));
  return (
    <>
      <Field label="Holds at" hint="A role holds at its place and everything below it.">
        <Select value={isTable ? tables : isGroup ? groups : value} onChange={(_event, data) => onChange(data.value)}>
          {places.map((place) => <option key={place.scope} value={place.scope}>{words(place)}</option>)}
          {workspace && <option value={tables}>One table of the workspace {workspace.name}</option>}
          {managementGroup && <option value={groups}>One group of the management group</option>}
        </Select>
      </Field>
      {isTable && (may('Microsoft.OperationalInsights/workspaces/query/read')
        ? <TablePicker value={value.slice(tables.length)} onChange={(table) => onChange(`${tables}${table}`)} />
        : <TableField names={[]} value={value.slice(tables.length)} onChange={(table) => onChange(`${tables}${table}`)} />)}
      {isGroup && <ObjectGroupPicker value={value.slice(groups.length)} onChange={(group) => onChange(`${groups}${group}`)} />}
    </>
  );
}

/** A group of objects by its name; `value` is its id, or what was typed: the server knows groups by their names, too. */
function ObjectGroupPicker({ value, onChange }: { value: string; onChange: (group: string) => void }) {
  const may = useMay()('Watchkeeper/managementGroups/groups/read');
  const groups = useGroup<GroupItem[]>(may ? '/api/groups' : undefined, 60);
  const chosen = groups.data?.find((one) => one.id === value);
  const typed = value.toLowerCase();
  const fitting = (groups.data ?? []).filter((one) => chosen !== undefined || one.name.toLowerCase().includes(typed));
  const offered = fitting.sort((a, b) => a.name.localeCompare(b.name)).slice(0, mostOffered);
  return (
    <Field label="Group" required hint="Who has a role at a group alone sees its members and what those host or contain, and nothing else.">
      <Combobox
        freeform placeholder="Name of the group" value={chosen?.name ?? value} selectedOptions={chosen ? [chosen.id] : []}
        onChange={(event) => onChange(event.target.value.trimStart())}
        onOptionSelect={(_event, data) => { if (data.optionValue !== undefined) onChange(data.optionValue); }}
      >
        {offered.map((one) => <Option key={one.id} value={one.id} text={one.name}>{`${one.name} (${one.members})`}</Option>)}
        {offered.length === 0 && <Option disabled text="">{typed === '' ? 'No group is listed: type its name' : `No group here is called ${value}`}</Option>}
      </Combobox>
    </Field>
  );
}

function TablePicker({ value, onChange }: { value: string; onChange: (table: string) => void }) {
  const metadata = useMetadata();
  return <TableField names={metadata.data?.tables.map((table) => table.name) ?? []} value={value} onChange={onChange} />;
}

function TableField({ names, value, onChange }: { names: string[]; value: string; onChange: (table: string) => void }) {
  const offered = names.filter((name) => name.toLowerCase().includes(value.toLowerCase()) || names.includes(value)).slice(0, mostOffered);
  return (
    <Field label="Table" required hint="Who has a role at a table alone can query that table and nothing else.">
      <Combobox freeform placeholder="Name of the table" value={value} selectedOptions={[value]} onChange={(event) => onChange(event.target.value.trim())} onOptionSelect={(_event, data) => { if (data.optionValue !== undefined) onChange(data.optionValue); }}>
        {offered.map((name) => <Option key={name} value={name}>{name}</Option>)}
      </Combobox>
    </Field>
  );
}

