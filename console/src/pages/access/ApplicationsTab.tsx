// App registrations: programs that sign in, with their secrets and certificates and when these end.
import { Badge, SearchBox, Subtitle1, Text } from '@fluentui/react-components';
import { AddRegular, AppGenericRegular, CertificateRegular, DeleteRegular, KeyRegular, PersonKeyRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import type { ColDef, ICellRendererParams } from 'ag-grid-community';
import { useState } from 'react';
import { appsPath, type AppRegistration, type NewSecret } from '../../api/access';
import { request } from '../../api/client';
import { segment, useAction, useGroup } from '../../api/management';
import { useMay } from '../../api/permissions';
import { DataGrid } from '../../components/DataGrid';
import { ConfirmDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { Facts, Section, Spacer, Split, Toolbar } from '../../components/Page';
import { ShownOnce } from '../../components/ShownOnce';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { CertificateDialog, RegisterDialog, SecretDialog, SignInDialog } from './ApplicationDialogs';
import { Line, RolesOf } from './parts';
import { useStyles } from './styles';
import { dayOf, ending, leftWords } from './words';

const write = 'Microsoft.Authorization/servicePrincipals/write';

/** The end of what ends last: until then the program signs in. Null without secret and certificate. */
function lastEnd(app: AppRegistration): number | null {
  const ends = [...app.secrets, ...app.certificates].map((one) => one.expiresAt);
  return ends.length === 0 ? null : Math.max(...ends);
}

const nowSeconds = () => Date.now() / 1000;
const colours = { 'in time': 'success', soon: 'warning', 'very soon': 'danger', ended: 'danger' } as const;

function End({ at }: { at: number }) {
  const now = nowSeconds();
  return <Badge appearance="tint" color={colours[ending(at, now)]}>{at <= now ? 'ended' : `ends in ${leftWords(at, now)}`}</Badge>;
}

const columns: ColDef<AppRegistration>[] = [
  { field: 'name', headerName: 'Name', flex: 2, minWidth: 150, initialSort: 'asc' },
  { field: 'clientId', headerName: 'Client id', flex: 2, minWidth: 150 },
  { colId: 'roles', headerName: 'Roles', flex: 2, minWidth: 130, valueGetter: ({ data }) => data && [...new Set(data.roles.map((one) => one.role))].join(', ') },
  { colId: 'secrets', headerName: 'Secrets', width: 100, filter: 'agNumberColumnFilter', valueGetter: ({ data }) => data?.secrets.length },
  { colId: 'certificates', headerName: 'Certificates', width: 120, filter: 'agNumberColumnFilter', valueGetter: ({ data }) => data?.certificates.length },
  {
    colId: 'end', headerName: 'Can sign in', width: 170, filter: false, valueGetter: ({ data }) => data && lastEnd(data),
    cellRenderer: ({ data }: ICellRendererParams<AppRegistration>) => {
      const end = data && lastEnd(data);
      return end === null || end === undefined ? (data?.public ? 'with a person' : 'has no secret') : <End at={end} />;
    },
  },
];

type Asking = 'register' | 'secret' | 'certificate' | 'sign-in' | 'delete';

export function ApplicationsTab() {
  const apps = useGroup<AppRegistration[]>(appsPath, 30);
  const [open, setOpen] = useState<string>();
  const [text, setText] = useState('');
  const [asking, setAsking] = useState<Asking>();
  const [made, setMade] = useState<NewSecret>();
  const done = (secret?: NewSecret) => {
    setAsking(undefined);
    if (secret) { setOpen(secret.clientId); setMade(secret); }
  };
  const chosen = apps.data?.find((one) => one.clientId === open);
  const remove = useAction(async (app: AppRegistration) => {
    done();
    await request(`${appsPath}/${segment(app.clientId)}`, { method: 'DELETE' });
    setOpen(undefined);
  });
  const registerButton = (label: string) => <ActionButton needs={write} size="small" appearance="primary" icon={<AddRegular />} onClick={() => setAsking('register')}>{label}</ActionButton>;
  return (
    <>
      <Toolbar label="App registrations">
        {registerButton('Register an app…')}
        <SearchBox size="small" aria-label="Filter app registrations" placeholder="Name, client id or role" value={text} onChange={(_event, data) => setText(data.value)} />
        <Spacer />
        <ActionButton needs={write} size="small" icon={<KeyRegular />} disabledFocusable={!chosen} onClick={() => setAsking('secret')}>New secret…</ActionButton>
        <ActionButton needs={write} size="small" icon={<CertificateRegular />} disabledFocusable={!chosen} onClick={() => setAsking('certificate')}>Add certificate…</ActionButton>
        <ActionButton needs={write} size="small" icon={<PersonKeyRegular />} disabledFocusable={!chosen} onClick={() => setAsking('sign-in')}>Sign-in of people…</ActionButton>
        <ActionButton needs="Microsoft.Authorization/servicePrincipals/delete" size="small" icon={<DeleteRegular />} disabledFocusable={!chosen || remove.isPending} onClick={() => setAsking('delete')}>Delete…</ActionButton>
      </Toolbar>
      {remove.isError && <ErrorState error={remove.error} />}
      {apps.isPending && <LoadingState label="Reading the app registrations" />}
      {apps.isError && <ErrorState error={apps.error} retry={() => void apps.refetch()} />}
      {apps.data && (
        <Split label="App registration" side={chosen && <Panel key={chosen.clientId} app={chosen} />}>
          {apps.data.length === 0
            ? <EmptyState icon={<AppGenericRegular />} title="No program signs in here yet" hint="Register a program: it gets a client id and a secret, and with a role it may query, send or change what the role allows." action={registerButton('Register an app')} />
            : <DataGrid label="App registrations" rows={apps.data} columns={columns} rowId={(one) => one.clientId} quickFilter={text} openId={open} onOpen={(one) => setOpen(one.clientId)} />}
        </Split>
      )}
      {asking === 'register' && <RegisterDialog onDone={done} />}
      {chosen && asking === 'secret' && <SecretDialog app={chosen} onDone={done} />}
      {chosen && asking === 'certificate' && <CertificateDialog app={chosen} onDone={() => done()} />}
      {chosen && asking === 'sign-in' && <SignInDialog app={chosen} onDone={() => done()} />}
      {chosen && asking === 'delete' && (
        <ConfirmDialog title={`Delete ${chosen.name}?`} confirm="Delete" onConfirm={() => remove.mutate(chosen)} onCancel={() => done()}>
          Programs that sign in with it are refused at once. Its secrets, certificates and roles go.
        </ConfirmDialog>
      )}
      {made && (
        <ShownOnce title="The secret is shown this once" label="Client secret" value={made.clientSecret} onDone={() => setMade(undefined)}>
          <Text>Keep it where the program reads it. Here it is kept as a hash: when it is lost, make another.</Text>
        </ShownOnce>
      )}
    </>
  );
}

function Panel({ app }: { app: AppRegistration }) {
  const styles = useStyles();
  const may = useMay()(write);
  const about = useQuery({ queryKey: ['about'], queryFn: ({ signal }) => request<{ tenantId: string }>('/api/about', { signal }) });
  const [ending, setEnding] = useState<{ path: string; title: string }>();
  const path = `${appsPath}/${segment(app.clientId)}`;
  const remove = useAction((what: string) => {
    setEnding(undefined);
    return request(what, { method: 'DELETE' });
  });
  const tenant = about.data?.tenantId;
  const nameOf = (one: { name: string }) => one.name || 'without a name';
  return (
    <>
      <Subtitle1 as="h2">{app.name}</Subtitle1>
      <Facts
        items={[
          ['Client id', <span key="id" className={styles.mono}>{app.clientId}</span>], ['Tenant id', tenant ? <span key="tenant" className={styles.mono}>{tenant}</span> : ''],
          ['Tokens at', tenant ? <span key="at" className={styles.mono}>{`${location.origin}/${tenant}/oauth2/v2.0/token`}</span> : ''], ['Groups', app.groups.join(', ')],
          ['People sign in', app.redirectUris.length === 0 ? '' : app.public ? 'yes, it keeps no secret' : 'yes'], ['Redirect URIs', app.redirectUris.join(' ')],
        ]}
      />
      {remove.isError && <ErrorState error={remove.error} />}
      <Section title="Secrets">
        {app.secrets.length === 0 && <Text block className={styles.muted}>None.</Text>}
        <ul className={styles.list} aria-label="Secrets">
          {app.secrets.map((one) => (
            <Line key={one.id} remove={may ? { label: `Remove the secret ${one.hint}…`, onRemove: () => setEnding({ path: `${path}/secrets/${segment(one.id)}`, title: `Remove the secret ${nameOf(one)} (${one.hint}…)?` }) } : undefined}>
              {one.name || `${one.hint}…`} <Text className={styles.muted}>{one.name ? `${one.hint}…, ` : ''}until {dayOf(one.expiresAt)}</Text> <End at={one.expiresAt} />
            </Line>
          ))}
        </ul>
      </Section>
      <Section title="Certificates">
        {app.certificates.length === 0 && <Text block className={styles.muted}>None.</Text>}
        <ul className={styles.list} aria-label="Certificates">
          {app.certificates.map((one) => (
            <Line key={one.thumbprint} remove={may ? { label: `Remove the certificate ${one.thumbprint}`, onRemove: () => setEnding({ path: `${path}/certificates/${segment(one.thumbprint)}`, title: `Remove the certificate ${one.thumbprint}?` }) } : undefined}>
              {nameOf(one)} <Text className={styles.muted}>{one.subject}, {one.thumbprint}, until {dayOf(one.expiresAt)}</Text> <End at={one.expiresAt} />
            </Line>
          ))}
        </ul>
      </Section>
      <RolesOf id={app.clientId} roles={app.roles} />
      {ending && (
        <ConfirmDialog title={ending.title} confirm="Remove" onConfirm={() => remove.mutate(ending.path)} onCancel={() => setEnding(undefined)}>
          Whoever still uses it gets no token any more. Tokens that were given last an hour at most.
        </ConfirmDialog>
      )}
    </>
  );
}

