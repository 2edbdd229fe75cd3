// An application sends people here who sign out of it: the console's session ends, and they go back.
import { Link, Text } from '@fluentui/react-components';
import { useEffect } from 'react';
import { useLocation } from 'react-router-dom';
import { useSignOut, type Session } from '../../api/session';
import { goBack, useAfterLogout } from '../../api/signIn';
import { SignInCard } from './SignInCard';

export default function SignedOutPage({ session }: { session: Session | null }) {
  const query = useLocation().search;
  const { mutate, isIdle, error } = useSignOut();
  const next = useAfterLogout(query, !session).data;
  useEffect(() => {
    if (session && isIdle) mutate();
  }, [session, isIdle, mutate]);
  useEffect(() => {
    if (next) goBack(next);
  }, [next]);
  return (
    <SignInCard error={error}>
      <Text role="status">{session ? 'Signing out…' : 'You are signed out.'}</Text>
      {!session && <Link href="/">Sign in again</Link>}
    </SignInCard>
  );
}
