// What somebody may not do is not offered; an address that somebody may not see says which role it takes and who gives it.
import { Button, Caption1, makeStyles, Text, tokens, type ButtonProps } from '@fluentui/react-components';
import { LockClosedRegular } from '@fluentui/react-icons';
import { forwardRef, type ReactNode } from 'react';
import { Link } from 'react-router-dom';
import { scopeWords, useMay, usePermissions, useReloadPermissions, type ActionName } from '../api/permissions';
import { EmptyState } from './States';

const useStyles = makeStyles({
  lines: { display: 'flex', flexDirection: 'column', alignItems: 'center', gap: '8px', overflowWrap: 'anywhere' },
  line: { textAlign: 'center' },
  muted: { color: tokens.colorNeutralForeground2 },
  link: { color: tokens.colorBrandForegroundLink },
});

/** Shows what is within to those who may do one of these. */
export function May({ needs, children }: { needs: ActionName | readonly ActionName[]; children: ReactNode }) {
  return useMay()(needs) ? <>{children}</> : null;
}

/** A button that only those see who may do what it does. */
export const ActionButton = forwardRef<HTMLButtonElement, ButtonProps & { needs: ActionName | readonly ActionName[] }>(function ActionButton({ needs, ...button }, ref) {
  return useMay()(needs) ? <Button {...(button as ButtonProps)} ref={ref} /> : null;
});

/** A page, or in its place what it takes. */
export function Guarded({ needs, label, children }: { needs: readonly ActionName[]; label: string; children: ReactNode }) {
  return useMay()(needs) ? <>{children}</> : <NotAllowed needs={needs} label={label} />;
}

export function NotAllowed({ needs, label }: { needs: readonly ActionName[]; label: string }) {
  const styles = useStyles();
  const { actions, places, roles } = usePermissions();
  const reload = useReloadPermissions();
  const action = actions.find((one) => one.name === needs[0]);
  const givers = places.find((place) => place.scope === action?.scope)?.givers ?? [];
  const takes = action && action.roles.length > 0 ? `the role ${orList(action.roles)}` : 'a role of your own making';
  return (
    <EmptyState
      icon={<LockClosedRegular />}
      title={`You may not see ${label}`}
      hint={
        <span className={styles.lines}>
          <Text className={styles.line}>It takes {takes} at {action ? scopeWords(action.scope, places) : 'a place that this server does not have'}.</Text>
          <Text className={styles.line}>You have {roles.length === 0 ? 'no role' : roles.map((one) => `${one.role} at ${scopeWords(one.scope, places)}`).join(', ')}.</Text>
          {givers.length > 0 && <Text className={styles.line}>Ask {orList(givers)} for it: roles are given under Access control, and hold at once.</Text>}
          <Caption1 className={styles.muted}>{needs[0]}</Caption1>
          <Link className={styles.link} to="/account">What you may do</Link>
        </span>
      }
      action={<Button onClick={() => void reload()}>Look again</Button>}
    />
  );
}

function orList(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
