// OpenID Connect providers: a button of each stands on the sign-in page.
import { Checkbox, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Button, Subtitle1, Text } from '@fluentui/react-components';
import { PersonKeyRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import type { ColDef } from 'ag-grid-community';
import { useState } from 'react';
import { identityProvidersPath, type IdentityProvider } from '../../api/access';
import { request } from '../../api/client';
import { segment, useAction } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';
import { Facts, Section } from '../../components/Page';
import { ErrorState, LoadingState } from '../../components/States';
import { DirectoryList, groupsOf, GroupPairs, pairsOf, TestResult, TrustedField, useText, WriteOnlyField, type Pairs } from './directoryParts';
import { Line } from './parts';
import { useStyles } from './styles';

const columns: ColDef<IdentityProvider>[] = [
  { field: 'name', headerName: 'Name', flex: 1, minWidth: 120, initialSort: 'asc' },
  { field: 'issuer', headerName: 'Issuer', flex: 3, minWidth: 200 },
  { field: 'clientId', headerName: 'Client id', flex: 2, minWidth: 140 },
  { colId: 'secret', headerName: 'Secret', width: 110, valueGetter: ({ data }) => (data?.public ? 'none needed' : data?.hasSecret ? 'is set' : 'is missing') },
  { colId: 'where', headerName: 'Kept in', width: 160, valueGetter: ({ data }) => (data?.inConfiguration ? 'configuration file' : 'the store') },
];

export function IdentityProviders() {
  return (
    <DirectoryList<IdentityProvider>
      label="OpenID Connect providers" path={identityProvidersPath} columns={columns} idOf={(one) => one.name} nameOf={(one) => one.name} isFixed={(one) => one.inConfiguration}
      needs={{ write: 'Microsoft.Authorization/users/write', remove: 'Microsoft.Authorization/users/delete', test: 'Microsoft.Authorization/users/write' }}
      empty={{ icon: <PersonKeyRegular />, title: 'No provider yet', hint: 'Add the OpenID Connect provider of your company (Keycloak, Entra ID, Okta): people sign in with a button, and its groups fill groups here.' }}
      addLabel="Add provider…" removal="Its button goes from the sign-in page. The users who came through it stay, and cannot sign in."
      panel={(one) => <Panel provider={one} />}
      dialog={(one, onDone) => <ProviderDialog {...(one ? { provider: one } : {})} onDone={onDone} />}
      testing={(one, onDone) => <TestDialog provider={one} onDone={onDone} />}
    />
  );
}

function Panel({ provider }: { provider: IdentityProvider }) {
  const styles = useStyles();
  const pairs = pairsOf(provider.groups);
  return (
    <>
      <Subtitle1 as="h2">{provider.label || provider.name}</Subtitle1>
      {provider.inConfiguration && <Text role="status">It is in the server’s configuration file ([[identity.providers]]) and is changed there.</Text>}
      {!provider.public && !provider.hasSecret && <Text role="status">Its secret is missing: nobody can sign in through it yet.</Text>}
      <Facts
        items={[
          ['Name', provider.name], ['Issuer', provider.issuer], ['Client id', provider.clientId], ['Redirect URI', <span key="back" className={styles.mono}>{provider.redirectUri}</span>],
          ['Scopes', provider.scopes.join(' ')], ['Name of a user', provider.nameClaim], ['Groups in', provider.groupsClaim], ['New people', provider.createUsers ? 'become users' : 'are refused'],
        ]}
      />
      <Section title="Groups">
        {pairs.length === 0 && <Text block className={styles.muted}>It fills no group here.</Text>}
        <ul className={styles.list} aria-label="Groups">{pairs.map(([theirs, own]) => <Line key={theirs}>{theirs} <Text className={styles.muted}>is {own} here</Text></Line>)}</ul>
      </Section>
    </>
  );
}

function ProviderDialog({ provider, onDone }: { provider?: IdentityProvider; onDone: (id?: string) => void }) {
  const { form, text, set } = useText({
    name: provider?.name ?? '', label: provider?.label ?? '', issuer: provider?.issuer ?? '', clientId: provider?.clientId ?? '', scopes: provider?.scopes.join(' ') ?? 'openid profile email',
    nameClaim: provider?.nameClaim ?? 'preferred_username', groupsClaim: provider?.groupsClaim ?? 'groups', trusted: provider?.trusted ?? '', secret: '',
  });
  const [isPublic, setIsPublic] = useState(provider?.public ?? false);
  const [createUsers, setCreateUsers] = useState(provider?.createUsers ?? true);
  const [pairs, setPairs] = useState<Pairs>(() => pairsOf(provider?.groups ?? {}));
  const save = useAction(async () => {
    const { name, scopes, secret, ...rest } = form;
    const body = { ...rest, public: isPublic, createUsers, scopes: scopes.split(/\s+/).filter((one) => one !== ''), groups: groupsOf(pairs), ...(secret === '' ? {} : { secret }) };
    const made = await request<IdentityProvider>(`${identityProvidersPath}/${segment(name.trim())}`, { method: 'PUT', body });
    onDone(made?.name);
  });
  const ready = form.name.trim() !== '' && form.issuer.trim() !== '' && form.clientId.trim() !== '';
  return (
    <FormDialog title={provider ? `Change ${provider.name}` : 'Add an OpenID Connect provider'} submit={provider ? 'Save' : 'Add'} ready={ready} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={() => onDone()}>
      {!provider && text('name', 'Name', { required: true, hint: 'Letters, digits, - _ .: part of the redirect URI, and kept with its users' })}
      {form.name.trim() !== '' && <Text>Register this redirect URI with the provider: {`${location.origin}/api/sign-in/providers/${form.name.trim()}/callback`}</Text>}
      {text('label', 'On the button', { placeholder: form.name })}
      {text('issuer', 'Issuer', { required: true, placeholder: 'https://login.corp.example/realms/corp' })}
      {text('clientId', 'Client id', { required: true })}
      <Checkbox label="The provider gave no secret (public client)" checked={isPublic} onChange={(_event, data) => setIsPublic(data.checked === true)} />
      {!isPublic && <WriteOnlyField label="Client secret" has={provider?.hasSecret ?? false} value={form.secret} onChange={(value) => set('secret', value)} />}
      <Checkbox label="People who come for the first time become users" checked={createUsers} onChange={(_event, data) => setCreateUsers(data.checked === true)} />
      {text('nameClaim', 'Claim with the name of a user')}
      {text('groupsClaim', 'Claim with the groups')}
      <GroupPairs pairs={pairs} onChange={setPairs} />
      {text('scopes', 'Scopes')}
      <TrustedField value={form.trusted} onChange={(value) => set('trusted', value)} />
    </FormDialog>
  );
}

function TestDialog({ provider, onDone }: { provider: IdentityProvider; onDone: () => void }) {
  const tested = useQuery({
    queryKey: ['test', identityProvidersPath, provider.name], gcTime: 0, retry: false,
    queryFn: ({ signal }) => request<{ authorizationEndpoint: string; tokenEndpoint: string; keys: number; lacksSecret: boolean }>(`${identityProvidersPath}/${segment(provider.name)}/test`, { method: 'POST', signal }),
  });
  return (
    <Dialog open onOpenChange={onDone}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>{`Test of ${provider.name}`}</DialogTitle>
          <DialogContent>
            {tested.isPending && <LoadingState label="Reading what the provider says of itself" />}
            {tested.isError && <ErrorState error={tested.error} retry={() => void tested.refetch()} />}
            {tested.data && (
              <TestResult title={tested.data.lacksSecret ? 'The provider answers; its secret is missing here' : 'The provider answers'}>
                <Facts items={[['People go to', tested.data.authorizationEndpoint], ['Codes are redeemed at', tested.data.tokenEndpoint], ['Keys that it signs with', String(tested.data.keys)]]} />
                Whether it takes client id and secret is seen at a sign-in: open the sign-in page in a private window.
              </TestResult>
            )}
          </DialogContent>
          <DialogActions><Button appearance="primary" onClick={onDone}>Close</Button></DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
