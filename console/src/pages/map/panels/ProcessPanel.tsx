// A process, or a group of them that the agent takes for one.
import { Button } from '@fluentui/react-components';
import { ServerRegular, TargetArrowRegular } from '@fluentui/react-icons';
import type { MapProcess } from '../../../api/map';
import { Facts } from '../../../components/Page';
import { ConnectionTable } from './ConnectionTable';
import { EventList } from './EventList';
import { namesOf, shortTime } from './MachinePanel';
import { PanelHead, PanelTabs, type PanelProps } from './SelectionPanel';

export function ProcessPanel({ process, world, window, onSelect, onFocus, onClose }: PanelProps & { process: MapProcess }) {
  const machine = world.machines.get(process.machine);
  const edges = world.edgesOf.get(process.id) ?? [];
  return (
    <>
      <PanelHead
        title={process.displayName || process.name} subtitle={machine && `on ${machine.name}`} onClose={onClose}
        actions={(
          <>
            <Button size="small" icon={<TargetArrowRegular />} onClick={() => onFocus(process.id)}>Show only its dependencies</Button>
            {machine && <Button size="small" icon={<ServerRegular />} onClick={() => onSelect(machine.id)}>{machine.name}</Button>}
          </>
        )}
      />
      <PanelTabs
        tabs={[
          {
            value: 'properties', label: 'Properties', content: () => (
              <Facts
                items={[
                  ['Name', process.name],
                  ['Known', process.discovered ? 'Only from what others report' : ''],
                  ['Role', process.role],
                  ['User', process.user],
                  ['Path', process.path],
                  ['Command line', process.commandLine],
                  ['Group', process.group],
                  ['Started', shortTime(process.startedAt)],
                  ['Listens on', (world.portsOf.get(process.id) ?? []).join(', ')],
                ]}
              />
            ),
          },
          { value: 'connections', label: 'Connections', content: () => <ConnectionTable world={world} edges={edges} onSelect={onSelect} /> },
          { value: 'events', label: 'Events', needs: 'Microsoft.OperationalInsights/workspaces/query/read', content: () => <EventList names={machine ? namesOf(machine) : []} window={window} /> },
        ]}
      />
    </>
  );
}
