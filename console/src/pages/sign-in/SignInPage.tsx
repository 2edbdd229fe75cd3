// Sign-in by name and password.
import { Button, Field, Input, makeStyles, Text, tokens } from '@fluentui/react-components';
import { useState, type FormEvent } from 'react';
import { useSignIn } from '../../api/session';
import { useProviders } from '../../api/signIn';
import { SignInCard } from './SignInCard';

const useStyles = makeStyles({
  form: { display: 'flex', flexDirection: 'column', gap: '16px' },
  muted: { color: tokens.colorNeutralForeground2 },
});

interface SignInPageProps {
  /** What signing in is for, where it is not the console. */
  purpose?: string;
  /** A name to begin with. */
  name?: string;
}

export function SignInPage({ purpose = 'Sign in to see your machines and search their logs.', name = '' }: SignInPageProps) {
  const styles = useStyles();
  const signIn = useSignIn();
  const providers = useProviders();
  const here = encodeURIComponent(window.location.pathname + window.location.search);
  const [user, setUser] = useState(name);
  const [password, setPassword] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate({ user, password });
  };
  return (
    <SignInCard error={signIn.error}>
      <form className={styles.form} onSubmit={submit}>
        <Text className={styles.muted}>{purpose}</Text>
        <Field label="User">
          <Input value={user} onChange={(_e, data) => setUser(data.value)} autoComplete="username" required />
        </Field>
        <Field label="Password">
          <Input type="password" value={password} onChange={(_e, data) => setPassword(data.value)} autoComplete="current-password" required />
        </Field>
        <Button type="submit" appearance="primary" size="large" disabled={signIn.isPending || !user || !password}>
          {signIn.isPending ? 'Signing in…' : 'Sign in'}
        </Button>
      </form>
      {providers.data?.map((provider) => (
        <Button key={provider.name} as="a" size="large" href={`/api/sign-in/providers/${encodeURIComponent(provider.name)}/start?return=${here}`}>
          Sign in with {provider.label}
        </Button>
      ))}
    </SignInCard>
  );
}
