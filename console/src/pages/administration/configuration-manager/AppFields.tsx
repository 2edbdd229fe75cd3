// The application and the way to the site: the fields that the wizard and the properties share.
import { Field, Input, makeStyles, Radio, RadioGroup, Select, Textarea } from '@fluentui/react-components';
import { useGroup } from '../../../api/management';
import { connectionsPath, type Environment } from '../../../api/configurationManager';
import type { Draft } from './words';

const useStyles = makeStyles({
  two: { display: 'grid', gridTemplateColumns: 'minmax(0, 1fr) minmax(0, 1fr)', gap: '12px', alignItems: 'start' },
  wide: { gridColumn: '1 / -1' },
});

interface AppFieldsProps {
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  /** Secrets are stored; without new ones they stay. */
  stored: boolean;
}

export function AppFields({ draft, set, stored }: AppFieldsProps) {
  const styles = useStyles();
  const environments = useGroup<Environment[]>(`${connectionsPath}/environments`);
  const text = (field: 'tenantName' | 'tenantId' | 'applicationName' | 'clientId' | 'appIdUri' | 'address' | 'userName' | 'kdc', label: string, more: { required?: boolean; hint?: string; placeholder?: string } = {}) => (
    <Field label={label} required={more.required === true} {...(more.hint === undefined ? {} : { hint: more.hint })}>
      <Input value={draft[field]} autoComplete="off" {...(more.placeholder === undefined ? {} : { placeholder: more.placeholder })} onChange={(_event, data) => set({ [field]: data.value })} />
    </Field>
  );
  return (
    <div className={styles.two}>
      <Field label="Azure environment" hint="Where the application is registered">
        <Select
          value={draft.environment}
          onChange={(_event, data) => {
            const tenant = environments.data?.find((one) => one.name === data.value)?.tenantId ?? '';
            set({ environment: data.value, ...(tenant === '' ? {} : { tenantId: tenant, signIn: 'Windows' }) });
          }}
        >
          {(environments.data ?? [{ name: draft.environment, title: draft.environment }]).map((one) => <option key={one.name} value={one.name}>{one.title}</option>)}
        </Select>
      </Field>
      {text('tenantName', 'Azure AD tenant name')}
      {text('tenantId', 'Azure AD tenant ID', { required: true })}
      {text('applicationName', 'Application name')}
      {text('clientId', 'Client ID', { required: true })}
      <Field label="Secret key" required={!stored} hint={stored ? 'Empty: the stored one stays' : 'It is kept encrypted and never shown again'}>
        <Input type="password" autoComplete="new-password" value={draft.secret} onChange={(_event, data) => set({ secret: data.value })} />
      </Field>
      <Field label="Secret key expiry">
        <Input type="date" value={draft.secretExpiry} onChange={(_event, data) => set({ secretExpiry: data.value })} />
      </Field>
      {text('appIdUri', 'App ID URI', { placeholder: 'https://ConfigMgrService' })}
      {text('address', 'Address of the site', { required: true, hint: 'Its SMS Provider, or a cloud management gateway', placeholder: 'https://cm01.contoso.com' })}
      <Field label="Sign-in to the site">
        <RadioGroup layout="horizontal" value={draft.signIn} onChange={(_event, data) => set({ signIn: data.value as Draft['signIn'] })}>
          <Radio value="Windows" label="Windows account" />
          <Radio value="Kerberos" label="Windows account, by Kerberos" />
          <Radio value="Token" label="Token of the application" disabled={draft.environment === 'Watchkeeper'} />
        </RadioGroup>
      </Field>
      {draft.signIn !== 'Token' && (
        <>
          {text('userName', 'Windows account', { required: true, placeholder: 'CONTOSO\\reader' })}
          <Field label="Password" required={!stored} hint={stored ? 'Empty: the stored one stays' : 'It is kept encrypted and never shown again'}>
            <Input type="password" autoComplete="new-password" value={draft.password} onChange={(_event, data) => set({ password: data.value })} />
          </Field>
        </>
      )}
      {draft.signIn === 'Kerberos' && text('kdc', 'Key distribution center', { hint: 'Empty: the domain of the account', placeholder: 'dc01.contoso.com' })}
      <Field className={styles.wide} label="Certificate to trust" hint="PEM, where the site makes its own certificates: SMS Issuing">
        <Textarea value={draft.trusted} rows={2} placeholder="-----BEGIN CERTIFICATE-----" onChange={(_event, data) => set({ trusted: data.value })} />
      </Field>
    </div>
  );
}
