// Dialogs of app registrations: a new one, another secret, a certificate, how people sign in to it.
import { Checkbox, Field, Input, Select, Text, Textarea } from '@fluentui/react-components';
import { useState } from 'react';
import { appsPath, rolesPath, type AppRegistration, type NewSecret, type RoleDefinition } from '../../api/access';
import { request } from '../../api/client';
import { segment, useAction, useGroup } from '../../api/management';
import { useMay } from '../../api/permissions';
import { FormDialog } from '../../components/Dialogs';
import { linesOf } from './words';

const validities: [number, string][] = [[30, '30 days'], [90, '90 days'], [180, '180 days'], [365, 'A year'], [730, 'Two years']];
const defaultDays = 180;

function ValidityField({ value, onChange }: { value: number; onChange: (days: number) => void }) {
  return (
    <Field label="Valid for" hint="You are warned 30, 14 and 3 days before it ends.">
      <Select value={String(value)} onChange={(_event, data) => onChange(Number(data.value))}>
        {validities.map(([days, label]) => <option key={days} value={days}>{label}</option>)}
      </Select>
    </Field>
  );
}

export function RegisterDialog({ onDone }: { onDone: (secret?: NewSecret) => void }) {
  const may = useMay();
  const canGive = may('Microsoft.Authorization/roleAssignments/write');
  const roles = useGroup<RoleDefinition[]>(canGive ? rolesPath : undefined, 60);
  const [name, setName] = useState('');
  const [role, setRole] = useState('');
  const [secretName, setSecretName] = useState('');
  const [days, setDays] = useState(defaultDays);
  const register = useAction(async () => {
    const body = { name: name.trim(), ...(role === '' ? {} : { role }), secretName: secretName.trim(), secretDays: days };
    onDone(await request<NewSecret>(appsPath, { method: 'POST', body }));
  });
  return (
    <FormDialog title="Register an app" submit="Register" ready={name.trim() !== ''} pending={register.isPending} error={register.error} onSubmit={() => register.mutate(undefined)} onCancel={() => onDone()}>
      <Field label="Name" required><Input value={name} onChange={(_event, data) => setName(data.value)} /></Field>
      {canGive && (
        <Field label="Role in the workspace" hint="Reader and Contributor come with Read-only Operator in the management group. Other places are given under Role assignments.">
          <Select value={role} onChange={(_event, data) => setRole(data.value)}>
            <option value="">None yet</option>
            {(roles.data ?? []).map((one) => <option key={one.id} value={one.name}>{one.name}</option>)}
          </Select>
        </Field>
      )}
      <Field label="What its first secret is for"><Input value={secretName} onChange={(_event, data) => setSecretName(data.value)} /></Field>
      <ValidityField value={days} onChange={setDays} />
    </FormDialog>
  );
}

export function SecretDialog({ app, onDone }: { app: AppRegistration; onDone: (secret?: NewSecret) => void }) {
  const [name, setName] = useState('');
  const [days, setDays] = useState(defaultDays);
  const make = useAction(async () => {
    onDone(await request<NewSecret>(`${appsPath}/${segment(app.clientId)}/secrets`, { method: 'POST', body: { name: name.trim(), secretDays: days } }));
  });
  return (
    <FormDialog title={`New secret of ${app.name}`} submit="Make" ready pending={make.isPending} error={make.error} onSubmit={() => make.mutate(undefined)} onCancel={() => onDone()}>
      <Field label="For" hint="Says later which program uses it"><Input value={name} onChange={(_event, data) => setName(data.value)} /></Field>
      <ValidityField value={days} onChange={setDays} />
      <Text>The other secrets stay in use: give the program this one, then remove the old one.</Text>
    </FormDialog>
  );
}

export function CertificateDialog({ app, onDone }: { app: AppRegistration; onDone: () => void }) {
  const [name, setName] = useState('');
  const [certificate, setCertificate] = useState('');
  const add = useAction(async () => {
    await request(`${appsPath}/${segment(app.clientId)}/certificates`, { method: 'POST', body: { name: name.trim(), certificate } });
    onDone();
  });
  return (
    <FormDialog title={`Add a certificate to ${app.name}`} submit="Add" ready={certificate.trim() !== ''} pending={add.isPending} error={add.error} onSubmit={() => add.mutate(undefined)} onCancel={onDone}>
      <Field label="For"><Input value={name} onChange={(_event, data) => setName(data.value)} /></Field>
      <Field label="Certificate" required hint="PEM, without the private key: that stays with the program">
        <Textarea rows={8} value={certificate} spellCheck={false} placeholder="-----BEGIN CERTIFICATE-----" onChange={(_event, data) => setCertificate(data.value)} />
      </Field>
    </FormDialog>
  );
}

export function SignInDialog({ app, onDone }: { app: AppRegistration; onDone: () => void }) {
  const [uris, setUris] = useState(app.redirectUris.join('\n'));
  const [isPublic, setIsPublic] = useState(app.public);
  const save = useAction(async () => {
    await request(`${appsPath}/${segment(app.clientId)}/sign-in`, { method: 'PUT', body: { public: isPublic, redirectUris: linesOf(uris) } });
    onDone();
  });
  return (
    <FormDialog title={`Sign-in of people to ${app.name}`} submit="Save" ready pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      <Field label="Redirect URIs" hint="One a line: where browsers are sent back to. Without one, people do not sign in to it.">
        <Textarea rows={4} value={uris} spellCheck={false} placeholder="https://portal.example.com/back" onChange={(_event, data) => setUris(data.value)} />
      </Field>
      <Checkbox label="It runs on people's machines and can keep no secret (public)" checked={isPublic} onChange={(_event, data) => setIsPublic(data.checked === true)} />
    </FormDialog>
  );
}
