// The frame of all pages that sign people in.
import { Card, makeStyles, MessageBar, MessageBarBody, Title2, tokens } from '@fluentui/react-components';
import type { ReactNode } from 'react';

const useStyles = makeStyles({
  page: { height: '100%', display: 'grid', placeItems: 'center', backgroundColor: tokens.colorNeutralBackground3, backgroundImage: `radial-gradient(60% 70% at 50% 0%, ${tokens.colorBrandBackground2}, transparent)` },
  card: { width: 'min(380px, calc(100vw - 32px))', padding: '32px', boxSizing: 'border-box' },
  content: { display: 'flex', flexDirection: 'column', gap: '16px' },
  head: { display: 'flex', alignItems: 'center', gap: '12px' },
});

export function SignInCard({ children, error }: { children: ReactNode; error?: Error | null }) {
  const styles = useStyles();
  return (
    <main className={styles.page}>
      <Card className={styles.card} appearance="filled">
        <div className={styles.content}>
          <div className={styles.head}>
            <img src="/watchkeeper.svg" alt="" width={40} height={40} />
            <Title2 as="h1">Watchkeeper</Title2>
          </div>
          {error && (
            <div role="alert">
              <MessageBar intent="error" layout="multiline">
                <MessageBarBody>{error.message}</MessageBarBody>
              </MessageBar>
            </div>
          )}
          {children}
        </div>
      </Card>
    </main>
  );
}
