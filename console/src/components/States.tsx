// What a page shows while it has nothing to show: loading, empty, failed.
import { Button, makeStyles, mergeClasses, MessageBar, MessageBarActions, MessageBarBody, MessageBarTitle, Spinner, Subtitle2, Text, tokens } from '@fluentui/react-components';
import type { ReactNode } from 'react';
import { ApiError } from '../api/client';

const useStyles = makeStyles({
  centre: { display: 'flex', flexDirection: 'column', alignItems: 'center', justifyContent: 'center', gap: '12px', padding: '40px 24px', textAlign: 'center', minHeight: '120px' },
  hint: { color: tokens.colorNeutralForeground2, maxWidth: '46ch' },
  centred: { textAlign: 'center' },
  icon: { fontSize: '40px', lineHeight: 1, color: tokens.colorBrandForeground1 },
  error: { margin: '12px' },
});

export function LoadingState({ label }: { label: string }) {
  const styles = useStyles();
  return (
    <div className={styles.centre}>
      <Spinner label={label} delay={150} />
    </div>
  );
}

interface EmptyStateProps {
  title: string;
  /** What to do next. */
  hint: ReactNode;
  icon?: ReactNode;
  action?: ReactNode;
}

export function EmptyState({ title, hint, icon, action }: EmptyStateProps) {
  const styles = useStyles();
  return (
    <div className={styles.centre} role="status">
      {icon && <span className={styles.icon} aria-hidden>{icon}</span>}
      <Subtitle2>{title}</Subtitle2>
      <Text className={mergeClasses(styles.hint, styles.centred)}>{hint}</Text>
      {action}
    </div>
  );
}

/** The server's own message, the innermost first: it says what to change. With a title that goes first. */
export function ErrorState({ error, retry, title: given }: { error: unknown; retry?: () => void; title?: string }) {
  const styles = useStyles();
  const api = error instanceof ApiError ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  const title = given ?? (api ? (api.details.at(-1) ?? message) : 'The server could not be reached');
  const around = api ? [...(given === undefined ? api.details.slice(0, -1) : api.details).reverse(), ...(api.details.length > 0 || given !== undefined ? [message] : [])] : [message];
  return (
    <div className={styles.error} role="alert">
      <MessageBar intent="error" layout="multiline">
        <MessageBarBody>
          <MessageBarTitle>{title}</MessageBarTitle>
          {api?.place && <div>Line {api.place.line}, character {api.place.pos + 1} of the query that ran.</div>}
          <div className={styles.hint}>{[...around, ...(api ? [api.code] : [])].join(' · ')}</div>
        </MessageBarBody>
        {retry && (
          <MessageBarActions>
            <Button onClick={retry}>Try again</Button>
          </MessageBarActions>
        )}
      </MessageBar>
    </div>
  );
}
