// Sign-in by name and password.
import { Button, Card, Field, Input, makeStyles, MessageBar, MessageBarBody, Text, Title2, tokens } from '@fluentui/react-components';
import { useState, type FormEvent } from 'react';
import { useSignIn } from '../../api/session';

const useStyles = makeStyles({
  page: { height: '100%', display: 'grid', placeItems: 'center', backgroundColor: tokens.colorNeutralBackground3, backgroundImage: `radial-gradient(60% 70% at 50% 0%, ${tokens.colorBrandBackground2}, transparent)` },
  card: { width: 'min(380px, calc(100vw - 32px))', padding: '32px', boxSizing: 'border-box' },
  form: { display: 'flex', flexDirection: 'column', gap: '16px' },
  head: { display: 'flex', alignItems: 'center', gap: '12px' },
  muted: { color: tokens.colorNeutralForeground2 },
});

export function SignInPage() {
  const styles = useStyles();
  const signIn = useSignIn();
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate({ user, password });
  };
  return (
    <main className={styles.page}>
      <Card className={styles.card} appearance="filled">
        <form className={styles.form} onSubmit={submit}>
          <div className={styles.head}>
            <img src="/watchkeeper.svg" alt="" width={40} height={40} />
            <Title2 as="h1">Watchkeeper</Title2>
          </div>
          <Text className={styles.muted}>Sign in to see your machines and search their logs.</Text>
          {signIn.isError && (
            <div role="alert">
              <MessageBar intent="error" layout="multiline">
                <MessageBarBody>{signIn.error.message}</MessageBarBody>
              </MessageBar>
            </div>
          )}
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
      </Card>
    </main>
  );
}
