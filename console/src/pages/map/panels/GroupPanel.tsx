// A group of machines: its members, the worst first, their connections to others, their alerts.
import { Button, makeStyles, Text, tokens } from '@fluentui/react-components';
import { HealthIcon, healthRank } from '../../../components/HealthIcon';
import type { Box } from '../graph/picture';
import { edgesOfMachine } from '../graph/world';
import { MachineWorkItems } from '../../itsm/MachineWorkItems';
import { AlertList } from './AlertList';
import { ConnectionTable } from './ConnectionTable';
import { namesOf } from './MachinePanel';
import { PanelHead, PanelTabs, type PanelProps } from './SelectionPanel';

const useStyles = makeStyles({
  list: { listStyle: 'none', margin: 0, padding: 0, display: 'flex', flexDirection: 'column' },
  item: { display: 'flex', alignItems: 'center', gap: '8px', minHeight: '28px' },
  name: { justifyContent: 'flex-start', flex: 1, minWidth: 0 },
  muted: { color: tokens.colorNeutralForeground2, whiteSpace: 'nowrap' },
});

const mostListed = 200;

export function GroupPanel({ box, world, onSelect, onClose }: PanelProps & { box: Box }) {
  const styles = useStyles();
  const machines = box.members.flatMap((id) => world.machines.get(id) ?? []);
  const inside = new Set(box.members);
  const edges = [...new Set(machines.flatMap((machine) => edgesOfMachine(world, machine.id)))].filter((edge) => !inside.has(edge.sourceMachine ?? '') || !inside.has(edge.targetMachine ?? ''));
  const sorted = [...machines].sort((a, b) => healthRank[b.health ?? 'Uninitialized'] - healthRank[a.health ?? 'Uninitialized'] || a.name.localeCompare(b.name));
  return (
    <>
      <PanelHead title={box.title} subtitle={box.subtitle} onClose={onClose} />
      <PanelTabs
        tabs={[
          {
            value: 'machines', label: 'Machines', content: () => (
              <>
                <ul className={styles.list} aria-label={`Machines of ${box.title}`}>
                  {sorted.slice(0, mostListed).map((machine) => (
                    <li key={machine.id} className={styles.item}>
                      {machine.health && <HealthIcon compact health={machine.health} inMaintenance={machine.inMaintenance ?? false} />}
                      <Button size="small" appearance="subtle" className={styles.name} onClick={() => onSelect(machine.id)}>{machine.name}</Button>
                      <Text size={200} className={styles.muted}>{machine.addresses[0]}</Text>
                    </li>
                  ))}
                </ul>
                {sorted.length > mostListed && <Text size={200} className={styles.muted}>and {sorted.length - mostListed} more: the list has them all.</Text>}
              </>
            ),
          },
          { value: 'connections', label: 'Connections', content: () => <ConnectionTable world={world} edges={edges} onSelect={onSelect} empty="No machine of this group talks to one outside it in this window." /> },
          { value: 'alerts', label: 'Alerts', content: () => <AlertList machines={machines} /> },
          { value: 'work-items', label: box.workItems > 0 ? `Work items (${box.workItems})` : 'Work items', content: () => <MachineWorkItems names={machines.flatMap(namesOf)} /> },
        ]}
      />
    </>
  );
}
