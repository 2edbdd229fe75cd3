// Parts that several tabs show: the roles of somebody, and lists whose lines can be taken away.
import { Button, Text } from '@fluentui/react-components';
import { DeleteRegular } from '@fluentui/react-icons';
import type { ReactNode } from 'react';
import { Link } from 'react-router-dom';
import type { GivenRole } from '../../api/access';
import { segment } from '../../api/management';
import { scopeWords, usePermissions } from '../../api/permissions';
import { May } from '../../components/May';
import { Section } from '../../components/Page';
import { GiveRoleButton } from './AssignmentsTab';
import { useStyles } from './styles';

/** Roles with those of groups, and the way to more. */
export function RolesOf({ id, roles }: { id: string; roles: GivenRole[] }) {
  const styles = useStyles();
  const { places } = usePermissions();
  return (
    <Section title="Roles">
      {roles.length === 0 && <Text block className={styles.muted}>None yet: without a role one may see and do nothing.</Text>}
      <ul className={styles.list} aria-label="Roles">
        {roles.map(({ role, scope }) => <li key={`${role} ${scope}`} className={styles.row}><span className={styles.grow}>{role} <Text className={styles.muted}>at {scopeWords(scope, places)}</Text></span></li>)}
      </ul>
      <div className={styles.buttons}>
        <GiveRoleButton who={id} />
        <May needs="Microsoft.Authorization/roleAssignments/read"><Link className={styles.link} to={`/access/check?who=${segment(id)}`}>All that is allowed</Link></May>
      </div>
    </Section>
  );
}

interface LineProps {
  children: ReactNode;
  /** What the button that takes the line away is called, and does. */
  remove?: { label: string; onRemove: () => void; disabled?: boolean } | undefined;
}

export function Line({ children, remove }: LineProps) {
  const styles = useStyles();
  return (
    <li className={styles.row}>
      <span className={styles.grow}>{children}</span>
      {remove && <Button size="small" appearance="subtle" icon={<DeleteRegular />} aria-label={remove.label} title={remove.label} disabledFocusable={remove.disabled ?? false} onClick={remove.onRemove} />}
    </li>
  );
}
