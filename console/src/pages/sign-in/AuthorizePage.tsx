// The page that an application sends a person to: who wants what, and the person's answer.
import { Button, makeStyles, Text } from '@fluentui/react-components';
import { useEffect } from 'react';
import { useLocation } from 'react-router-dom';
import { useSignOut, type Session } from '../../api/session';
import { goBack, useApplication, useAuthorize } from '../../api/signIn';
import { LoadingState } from '../../components/States';
import { SignInCard } from './SignInCard';
import { SignInPage } from './SignInPage';

const useStyles = makeStyles({
  buttons: { display: 'flex', gap: '8px', flexWrap: 'wrap' },
});

export default function AuthorizePage({ session }: { session: Session | null }) {
  const styles = useStyles();
  const query = useLocation().search;
  const application = useApplication(query);
  const authorize = useAuthorize(query);
  const signOut = useSignOut();
  const back = application.data?.back;
  useEffect(() => {
    if (back) goBack(back);
  }, [back]);
  if (application.isPending || back) return <LoadingState label="Asking what the application wants" />;
  if (!application.data) return <SignInCard error={application.error}>The application has to be opened again.</SignInCard>;
  const { client, redirectUri, loginHint } = application.data;
  if (!session) return <SignInPage purpose={`Sign in to continue to ${client.name}.`} name={loginHint} />;
  const busy = authorize.isPending || authorize.isSuccess;
  return (
    <SignInCard error={authorize.error}>
      <Text>
        <b>{client.name}</b> wants to work here as <b>{session.user.name}</b>. It may do what your roles allow.
      </Text>
      <Text size={200}>Continue only if you began this sign-in yourself. You will be sent to {new URL(redirectUri).host}.</Text>
      <div className={styles.buttons}>
        <Button appearance="primary" disabled={busy} onClick={() => authorize.mutate(true)}>
          Continue
        </Button>
        <Button disabled={busy} onClick={() => authorize.mutate(false)}>
          Cancel
        </Button>
        <Button appearance="subtle" disabled={busy} onClick={() => signOut.mutate()}>
          Use another account
        </Button>
      </div>
    </SignInCard>
  );
}
