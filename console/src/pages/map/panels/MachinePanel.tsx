// A machine: what it is, what happened, how busy it is, whom it talks to, its alerts.
import { Button } from '@fluentui/react-components';
import { DesktopRegular, HeartPulseRegular, TargetArrowRegular } from '@fluentui/react-icons';
import { useNavigate } from 'react-router-dom';
import type { MapMachine } from '../../../api/map';
import { segment } from '../../../api/management';
import { formatCell } from '../../../components/format';
import { HealthIcon } from '../../../components/HealthIcon';
import { ActionButton } from '../../../components/May';
import { Facts } from '../../../components/Page';
import { MachineWorkItems } from '../../itsm/MachineWorkItems';
import { edgesOfMachine } from '../graph/world';
import { AlertList } from './AlertList';
import { ConnectionTable } from './ConnectionTable';
import { EventList } from './EventList';
import { MachineCharts } from './MachineCharts';
import { PanelHead, PanelTabs, type PanelProps } from './SelectionPanel';

export const shortTime = (text: string | null | undefined) => (text ? formatCell(text, 'datetime').slice(0, 19) : '');

/** Every name that tables may know a machine by. */
export function namesOf(machine: MapMachine): string[] {
  return [...new Set([machine.name, machine.fullName].filter((name) => name !== ''))];
}

export function MachinePanel({ machine, world, window, onSelect, onFocus, onClose }: PanelProps & { machine: MapMachine }) {
  const navigate = useNavigate();
  const processes = world.processesOf.get(machine.id) ?? [];
  const listening = [...new Set(processes.flatMap((process) => world.portsOf.get(process.id) ?? []))].sort((a, b) => a - b);
  const open = (machine.alerts?.critical ?? 0) + (machine.alerts?.warning ?? 0) + (machine.alerts?.information ?? 0);
  return (
    <>
      <PanelHead
        title={machine.name} subtitle={machine.osName || machine.os} onClose={onClose}
        actions={(
          <>
            <Button size="small" icon={<TargetArrowRegular />} onClick={() => onFocus(machine.id)}>Show only its dependencies</Button>
            {machine.monitored && <ActionButton needs='Microsoft.OperationalInsights/workspaces/query/read' size="small" icon={<DesktopRegular />} onClick={() => navigate(`/machines/${encodeURIComponent(machine.name)}`)}>Open machine</ActionButton>}
            {machine.object && <Button size="small" icon={<HeartPulseRegular />} onClick={() => navigate(`/objects/${segment(machine.object ?? '')}`)}>Open health</Button>}
          </>
        )}
      />
      <PanelTabs
        tabs={[
          {
            value: 'properties', label: 'Properties', content: () => (
              <Facts
                items={[
                  ['Health', machine.health ? <HealthIcon key="health" health={machine.health} inMaintenance={machine.inMaintenance ?? false} /> : 'Not in the management group'],
                  ['Full name', machine.fullName],
                  ['Operating system', machine.osName || machine.os],
                  ['Addresses', machine.addresses.join(', ')],
                  ['Agent', machine.monitored ? 'Reports connections' : 'None: it is known from the connections of others'],
                  ['Last seen', shortTime(machine.lastSeen)],
                  ['Started', shortTime(machine.bootTime)],
                  ['Processes', String(processes.length)],
                  ['Listens on', listening.slice(0, 30).join(', ') + (listening.length > 30 ? ` and ${listening.length - 30} more` : '')],
                  ['Open work items', machine.workItems ? String(machine.workItems) : ''],
                ]}
              />
            ),
          },
          { value: 'connections', label: 'Connections', content: () => <ConnectionTable world={world} edges={edgesOfMachine(world, machine.id)} onSelect={onSelect} /> },
          { value: 'performance', label: 'Performance', needs: 'Microsoft.OperationalInsights/workspaces/query/read', content: () => <MachineCharts names={namesOf(machine)} window={window} /> },
          { value: 'events', label: 'Events', needs: 'Microsoft.OperationalInsights/workspaces/query/read', content: () => <EventList names={namesOf(machine)} window={window} /> },
          { value: 'alerts', label: open > 0 ? `Alerts (${open})` : 'Alerts', content: () => <AlertList machines={[machine]} /> },
          { value: 'work-items', label: machine.workItems ? `Work items (${machine.workItems})` : 'Work items', content: () => <MachineWorkItems names={namesOf(machine)} /> },
        ]}
      />
    </>
  );
}
