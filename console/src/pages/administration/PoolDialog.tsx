// A resource pool: its name, its members, its observers.
import { Field, Input, Select } from '@fluentui/react-components';
import { useState } from 'react';
import { request } from '../../api/client';
import { segment, useAction, type PoolMember, type ResourcePool } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';

type Role = 'none' | 'member' | 'observer';

interface PoolDialogProps {
  servers: PoolMember[];
  /** The pool that is changed. */
  pool?: ResourcePool;
  onDone: () => void;
}

export function PoolDialog({ servers, pool, onDone }: PoolDialogProps) {
  const [name, setName] = useState(pool?.name ?? '');
  const [roles, setRoles] = useState<Record<string, Role>>(() => ({
    ...Object.fromEntries((pool?.members ?? []).map((one): [string, Role] => [one.id, 'member'])),
    ...Object.fromEntries((pool?.observers ?? []).map((one): [string, Role] => [one.id, 'observer'])),
  }));
  const of = (role: Role) => servers.filter((server) => roles[server.id] === role).map((server) => server.id);
  const save = useAction(async () => {
    const body = { members: of('member'), observers: of('observer') };
    if (pool) await request(`/api/pools/${segment(pool.id)}/members`, { method: 'PUT', body });
    else await request('/api/pools', { method: 'POST', body: { name: name.trim(), ...body } });
    onDone();
  });
  return (
    <FormDialog title={pool ? `Members of ${pool.name}` : 'Create a resource pool'} submit={pool ? 'Save' : 'Create'} ready={name.trim() !== '' && of('member').length > 0} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      {!pool && <Field label="Name" required><Input value={name} onChange={(_event, data) => setName(data.value)} /></Field>}
      {servers.map((server) => (
        <Field key={server.id} label={server.name ?? server.id} hint={`${server.kind ?? 'server'}, ${server.alive ? 'alive' : 'not alive'}`}>
          <Select value={roles[server.id] ?? 'none'} onChange={(_event, data) => setRoles((was) => ({ ...was, [server.id]: data.value as Role }))}>
            <option value="none">Not in the pool</option>
            <option value="member">Member: does the work and votes</option>
            <option value="observer">Observer: votes</option>
          </Select>
        </Field>
      ))}
    </FormDialog>
  );
}
