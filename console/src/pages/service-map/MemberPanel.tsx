// A member of a view: how it is, whom it talks to, and taking it away.
import { Button, makeStyles, Text, tokens } from '@fluentui/react-components';
import { DeleteRegular, HeartPulseRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { useNavigate } from 'react-router-dom';
import { request } from '../../api/client';
import { segment, useAction } from '../../api/management';
import { viewPath, type ViewDetails, type ViewMember } from '../../api/serviceMap';
import { ConfirmDialog } from '../../components/Dialogs';
import { HealthIcon } from '../../components/HealthIcon';
import { ActionButton } from '../../components/May';
import { Facts, Section } from '../../components/Page';
import { ErrorState } from '../../components/States';
import { PanelHead } from '../map/panels/SelectionPanel';
import { classWords, neighbours } from './viewPicture';

const useStyles = makeStyles({
  list: { listStyle: 'none', margin: '4px 0 0', padding: 0, display: 'flex', flexDirection: 'column', gap: '2px' },
  row: { display: 'flex', alignItems: 'center', gap: '8px' },
  name: { minWidth: 0, justifyContent: 'flex-start', padding: '0 4px', color: tokens.colorBrandForegroundLink },
  muted: { color: tokens.colorNeutralForeground2 },
});

/** A member with what it runs on. */
function machineOf(view: ViewDetails, member: ViewMember): string {
  const on = view.members.find((one) => member.parents.includes(one.object));
  return on ? `${member.name} on ${on.name}` : member.name;
}

interface MemberPanelProps {
  view: ViewDetails;
  member: ViewMember;
  onSelect: (id: string) => void;
  onClose: () => void;
}

export function MemberPanel({ view, member, onSelect, onClose }: MemberPanelProps) {
  const styles = useStyles();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const take = useAction(async () => {
    setAsking(false);
    await request(`${viewPath(view.object)}/members/${segment(member.object)}`, { method: 'DELETE' });
    onClose();
  });
  const within = view.members.filter((one) => one.parents.includes(member.object));
  const others = neighbours(view, member.object);
  return (
    <>
      <PanelHead
        title={member.name} subtitle={classWords(member.class)} onClose={onClose}
        actions={(
          <>
            <Button size="small" icon={<HeartPulseRegular />} onClick={() => navigate(`/objects/${segment(member.object)}`)}>Open health</Button>
            <ActionButton needs="Watchkeeper/managementGroups/dependencyViews/write" size="small" icon={<DeleteRegular />} disabledFocusable={take.isPending} onClick={() => setAsking(true)}>Take away…</ActionButton>
          </>
        )}
      />
      {take.isError && <ErrorState error={take.error} />}
      <Facts
        items={[
          ['Health', <HealthIcon key="health" health={member.health} />],
          ['Put here by', member.from === 'person' ? 'a person: it stays after every sync' : 'the map: the next sync keeps it in step'],
          ['Class', member.class],
        ]}
      />
      {within.length > 0 && (
        <Section title="On it">
          <ul className={styles.list}>
            {within.map((one) => <li key={one.object} className={styles.row}><HealthIcon compact health={one.health} /><Button size="small" appearance="transparent" className={styles.name} onClick={() => onSelect(one.object)}>{one.name}</Button></li>)}
          </ul>
        </Section>
      )}
      {([['Calls', false], ['Is called by', true]] as const).map(([title, isCaller]) => {
        const ends = others.filter((one) => one.isCaller === isCaller);
        return ends.length > 0 && (
          <Section key={title} title={title}>
            <ul className={styles.list}>
              {ends.map(({ member: other, ports }, at) => (
                <li key={at} className={styles.row}>
                  <HealthIcon compact health={other.health} />
                  <Button size="small" appearance="transparent" className={styles.name} onClick={() => onSelect(other.object)}>{machineOf(view, other)}</Button>
                  <Text size={200} className={styles.muted}>{ports.map((port) => `:${port}`).join(' ')}</Text>
                </li>
              ))}
            </ul>
          </Section>
        );
      })}
      {asking && (
        <ConfirmDialog title={`Take ${member.name} out of ${view.name}?`} confirm="Take away" onConfirm={() => take.mutate(undefined)} onCancel={() => setAsking(false)}>
          Its health no longer counts for this view, and the next sync does not bring it back. The object itself stays; Add member puts it back.
        </ConfirmDialog>
      )}
    </>
  );
}
