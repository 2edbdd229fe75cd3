// Signing in on another device: the person types the code that the device shows, and confirms.
import { Button, Field, Input, makeStyles, Text } from '@fluentui/react-components';
import { useState, type FormEvent } from 'react';
import { useSearchParams } from 'react-router-dom';
import type { Session } from '../../api/session';
import { useDevice } from '../../api/signIn';
import { SignInCard } from './SignInCard';

const useStyles = makeStyles({
  form: { display: 'flex', flexDirection: 'column', gap: '16px' },
  buttons: { display: 'flex', gap: '8px' },
});

export default function DevicePage({ session }: { session: Session }) {
  const styles = useStyles();
  const [parameters] = useSearchParams();
  const [code, setCode] = useState(parameters.get('code') ?? '');
  const device = useDevice();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    device.mutate({ code, allow: null });
  };
  const answer = device.data;
  if (answer && answer.status !== 'waiting') {
    return (
      <SignInCard>
        <Text role="status">
          {answer.status === 'granted' ? `${answer.client.name} is signed in on your device. You can close this page.` : `${answer.client.name} was declined.`}
        </Text>
      </SignInCard>
    );
  }
  if (answer) {
    return (
      <SignInCard error={device.error}>
        <Text>
          <b>{answer.client.name}</b> wants to work here as <b>{session.user.name}</b> on another device. It may do what your roles allow.
        </Text>
        <Text size={200}>Continue only if that device is yours, and you began this sign-in there. Nobody else has a reason to send you a code.</Text>
        <div className={styles.buttons}>
          <Button appearance="primary" disabled={device.isPending} onClick={() => device.mutate({ code, allow: true })}>
            Continue
          </Button>
          <Button disabled={device.isPending} onClick={() => device.mutate({ code, allow: false })}>
            Decline
          </Button>
        </div>
      </SignInCard>
    );
  }
  return (
    <SignInCard error={device.error}>
      <form className={styles.form} onSubmit={submit}>
        <Field label="Code" hint="The device shows it, eight letters.">
          <Input value={code} onChange={(_e, data) => setCode(data.value)} autoComplete="off" autoCapitalize="characters" required />
        </Field>
        <Button type="submit" appearance="primary" size="large" disabled={device.isPending || !code}>
          Next
        </Button>
      </form>
    </SignInCard>
  );
}
