// One's own account: who one is here, one's roles, sessions, and password.
import { Button, Field, Input, Text } from '@fluentui/react-components';
import { KeyResetRegular, SignOutRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { sessionsPath, usersPath, type OpenSession } from '../../api/access';
import { request } from '../../api/client';
import { useAction, useGroup } from '../../api/management';
import { scopeWords, usePermissions } from '../../api/permissions';
import { useSession } from '../../api/session';
import { FormDialog } from '../../components/Dialogs';
import { Facts, Page, Section, Split } from '../../components/Page';
import { ErrorState, LoadingState } from '../../components/States';
import { Line } from '../access/parts';
import { SessionList } from '../access/SessionList';
import { useStyles } from '../access/styles';
import { leastPasswordCharacters, PasswordField } from '../access/UsersTab';

export default function AccountPage() {
  const styles = useStyles();
  const { data: session } = useSession();
  const { roles, places, principalId, actions } = usePermissions();
  const sessions = useGroup<OpenSession[]>(sessionsPath, 15);
  const [changing, setChanging] = useState(false);
  const endOthers = useAction(() => request(sessionsPath, { method: 'DELETE' }));
  const user = session?.user;
  const others = (sessions.data ?? []).filter((one) => !one.isThisOne);
  const allowed = actions.filter((one) => one.allowed).length;
  return (
    <Page title="Your account">
      <Split>
        <div className={styles.scroll}>
          <Section top title={user?.displayName ?? ''}>
            <Facts items={[['Name', user?.name], ['Signs in', user?.provider ? `through ${user.provider}, which has the password` : 'with a password here'], ['Identity', principalId]]} />
          </Section>
          {user?.provider === '' && <div><Button size="small" icon={<KeyResetRegular />} onClick={() => setChanging(true)}>Change password…</Button></div>}
          <Section top title="Your roles">
            {roles.length === 0 && <Text block className={styles.muted}>None: ask an administrator for one.</Text>}
            <ul className={styles.list} aria-label="Your roles">
              {roles.map(({ role, scope }) => <Line key={`${role} ${scope}`}>{role} <Text className={styles.muted}>at {scopeWords(scope, places)}</Text></Line>)}
            </ul>
            <Text className={styles.muted}>They allow {allowed} of {actions.length} actions.</Text>
          </Section>
          <Section top title="Your sessions">
            {sessions.isPending && <LoadingState label="Reading your sessions" />}
            {sessions.isError && <ErrorState error={sessions.error} retry={() => void sessions.refetch()} />}
            {endOthers.isError && <ErrorState error={endOthers.error} />}
            {sessions.data && <SessionList sessions={sessions.data} none="None." />}
            {others.length > 0 && <Button size="small" icon={<SignOutRegular />} disabledFocusable={endOthers.isPending} onClick={() => endOthers.mutate(undefined)}>End all others</Button>}
          </Section>
        </div>
      </Split>
      {changing && <OwnPasswordDialog onDone={() => setChanging(false)} />}
    </Page>
  );
}

function OwnPasswordDialog({ onDone }: { onDone: () => void }) {
  const [present, setPresent] = useState('');
  const [password, setPassword] = useState('');
  const save = useAction(async () => {
    await request(`${usersPath}/me/password`, { method: 'PUT', body: { password, currentPassword: present } });
    onDone();
  });
  return (
    <FormDialog title="Change your password" submit="Change" ready={present !== '' && password.length >= leastPasswordCharacters} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      <Field label="Present password" required><Input type="password" autoComplete="current-password" value={present} onChange={(_event, data) => setPresent(data.value)} /></Field>
      <PasswordField label="New password" value={password} onChange={setPassword} />
      <Text>All your sessions end, this one too: sign in again with the new password.</Text>
    </FormDialog>
  );
}
