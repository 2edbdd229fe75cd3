// Makes or changes a connection to a service desk. The server tests it before it is saved; what it says is wrong stands
// at the field that it is about.
import { Button, Checkbox, Field, Input, Label, makeStyles, MessageBar, MessageBarBody, MessageBarTitle, Select, Text, Textarea, tokens } from '@fluentui/react-components';
import { ChevronDownRegular, ChevronUpRegular } from '@fluentui/react-icons';
import { useEffect, useState } from 'react';
import { saveItsmConnection, type ItsmConnection } from '../../../api/itsm';
import { useAction } from '../../../api/management';
import { FormDialog } from '../../../components/Dialogs';
import { asksForSecrets, bodyOf, formOfConnection, lacksOf, mostDays, refusalOf, type ConnectionForm, type FormField } from './form';
import { productOf, products, type OwnField } from './products';

const useStyles = makeStyles({
  two: { display: 'grid', gridTemplateColumns: 'repeat(2, minmax(0, 1fr))', gap: '12px', alignItems: 'start', '& .fui-Input': { minWidth: 0, width: '100%' } },
  group: { display: 'flex', flexDirection: 'column' },
  muted: { color: tokens.colorNeutralForeground2 },
  code: { fontFamily: tokens.fontFamilyMonospace, fontSize: '12px' },
});

const ownLabels: Record<OwnField, string> = { userName: 'User name', password: 'Password', clientId: 'Client ID', clientSecret: 'Client secret' };
const hiddenFields: readonly FormField[] = ['authority', 'incidentPlace', 'changePlace', 'tokenUrl'];

interface ConnectionDialogProps {
  /** The one that is changed. */
  connection?: ItsmConnection;
  onSaved: (saved: ItsmConnection & { warnings?: string[] }) => void;
  onCancel: () => void;
}

export function ConnectionDialog({ connection, onSaved, onCancel }: ConnectionDialogProps) {
  const styles = useStyles();
  const [form, setForm] = useState<ConnectionForm>(() => formOfConnection(connection));
  const [isTried, setIsTried] = useState(false);
  const [isMore, setIsMore] = useState(form.authority !== '' || form.incidentPlace !== '' || form.changePlace !== '' || form.tokenUrl !== '');
  const product = productOf(form.partner, connection?.partnerTitle);
  const lacks = lacksOf(form, product, connection);
  const save = useAction(async () => onSaved(await saveItsmConnection(connection?.id, bodyOf(form, product, connection))));
  const refusal = refusalOf(save.error);
  const set = (change: Partial<ConnectionForm>) => {
    setForm((was) => ({ ...was, ...change }));
    if (save.isError) save.reset();
  };
  const text = (field: Exclude<FormField, 'incidents' | 'changeRequests' | 'createConfigurationItems'>) => ({
    name: field, value: form[field], autoComplete: 'off', onChange: (_event: unknown, data: { value: string }) => set({ [field]: data.value }),
  });
  /** What is said at a field: what is missing, or what the server said; where it may be one of two, it is said at the last. */
  const state = (field: FormField) => {
    const lack = isTried ? lacks[field] : undefined;
    if (lack !== undefined) return { validationState: 'error' as const, validationMessage: lack };
    if (!refusal?.fields.includes(field)) return {};
    return { validationState: 'error' as const, ...(refusal.fields.at(-1) === field ? { validationMessage: `${refusal.title}. ${refusal.message}` } : {}) };
  };
  // the first field that is wrong comes into sight and under the cursor
  const wrong = refusal?.fields[0];
  const isHidden = wrong !== undefined && hiddenFields.includes(wrong) && !isMore;
  useEffect(() => {
    if (isHidden) setIsMore(true);
    else if (wrong !== undefined) document.querySelector<HTMLElement>(`[role=dialog] [name="${wrong}"]`)?.focus();
  }, [wrong, isHidden, save.error]);
  const submit = () => {
    setIsTried(true);
    const [first] = Object.keys(lacks);
    if (first === undefined) save.mutate(undefined);
    else document.querySelector<HTMLElement>(`[role=dialog] [name="${first}"]`)?.focus();
  };
  const kept = connection && !asksForSecrets(form, connection) ? { placeholder: 'stays as it is' } : {};
  return (
    <FormDialog
      title={connection ? connection.name : 'Add an ITSM connection'} submit={save.isPending ? 'Testing the connection…' : 'Save'} ready checksItself pending={save.isPending}
      error={refusal ? undefined : save.error} onSubmit={submit} onCancel={onCancel}
    >
      {refusal && refusal.fields.length === 0 && (
        <MessageBar intent="error" layout="multiline"><MessageBarBody role="alert"><MessageBarTitle>{refusal.title}</MessageBarTitle>{refusal.message}</MessageBarBody></MessageBar>
      )}
      <div className={styles.two}>
        <Field label="Connection name" required {...state('name')}><Input {...text('name')} maxLength={100} /></Field>
        <Field label="Partner type">
          <Select name="partner" value={form.partner} disabled={connection !== undefined} onChange={(_event, data) => set({ partner: data.value })}>
            {products.map((one) => <option key={one.partner} value={one.partner}>{one.title}</option>)}
            {!products.some((one) => one.partner === form.partner) && <option value={form.partner}>{product.title}</option>}
          </Select>
        </Field>
      </div>
      <Text size={200} className={styles.muted}>{product.prepare}</Text>
      <Field label="Server URL" required hint={product.urlHint} {...state('url')}><Input {...text('url')} placeholder={product.urlExample} inputMode="url" /></Field>
      <div className={styles.two}>
        {product.fields.map((field) => {
          const isSecret = field === 'password' || field === 'clientSecret';
          return (
            <Field key={field} label={field === 'password' && product.takesToken ? 'Password or token' : ownLabels[field]} required={!(product.optional?.includes(field) ?? false) && !(isSecret && 'placeholder' in kept)} {...state(field)}>
              <Input {...text(field)} {...(isSecret ? { type: 'password' as const, autoComplete: 'new-password', ...kept } : {})} />
            </Field>
          );
        })}
      </div>
      <div className={styles.two}>
        <div className={styles.group} role="group" aria-labelledby="itsm-scope">
          <Label id="itsm-scope">Data sync scope</Label>
          <Checkbox label={product.workItems.Incident} checked={form.incidents} onChange={(_event, data) => set({ incidents: data.checked === true })} />
          <Checkbox label={product.workItems.ChangeRequest} checked={form.changeRequests} onChange={(_event, data) => set({ changeRequests: data.checked === true })} />
        </div>
        <Field label="The secret ends on" hint="Where it is known: you are told in time" {...state('secretExpiry')}><Input {...text('secretExpiry')} type="date" /></Field>
        <Field label="Past days to sync" hint={`1 to ${mostDays}`} {...state('days')}><Input {...text('days')} type="number" min={1} max={mostDays} disabled={!form.incidents && !form.changeRequests} /></Field>
      </div>
      {product.makesConfigurationItems && (
        <Checkbox label={`Create configuration items that ${product.title} does not have`} checked={form.createConfigurationItems} onChange={(_event, data) => set({ createConfigurationItems: data.checked === true })} />
      )}
      <div><Button size="small" appearance="transparent" icon={isMore ? <ChevronUpRegular /> : <ChevronDownRegular />} aria-expanded={isMore} onClick={() => setIsMore(!isMore)}>More settings</Button></div>
      {isMore && (
        <>
          {product.places && (
            <div className={styles.two}>
              <Field label={`${product.places.label} of incidents`} hint={`Empty: ${product.places.usual.Incident}`}><Input {...text('incidentPlace')} /></Field>
              <Field label={`${product.places.label} of change requests`} hint={`Empty: ${product.places.usual.ChangeRequest}`}><Input {...text('changePlace')} /></Field>
            </div>
          )}
          {product.tokenUrlHint !== undefined && <Field label="Address that gives tokens" hint={product.tokenUrlHint} {...state('tokenUrl')}><Input {...text('tokenUrl')} inputMode="url" /></Field>}
          <Field label="Certificates of your own authority" hint="PEM; only where the product’s certificate does not come from a public authority" {...state('authority')}>
            <Textarea {...text('authority')} rows={3} resize="vertical" spellCheck={false} textarea={{ className: styles.code }} placeholder="-----BEGIN CERTIFICATE-----" />
          </Field>
        </>
      )}
      <Text size={200} className={styles.muted}>The connection is tested before it is saved. Secrets are stored encrypted and never shown again.</Text>
    </FormDialog>
  );
}
