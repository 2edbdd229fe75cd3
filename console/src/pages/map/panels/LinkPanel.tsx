// A line: all connections between two ends, their sums, their course over the window.
import { Button } from '@fluentui/react-components';
import type { MapEdge } from '../../../api/map';
import { formatBytes, formatNumber } from '../../../components/format';
import { Facts } from '../../../components/Page';
import { EmptyState } from '../../../components/States';
import { placeOfEnd } from '../graph/connections';
import { machineOf, nameOfEnd } from '../graph/world';
import { ConnectionTable } from './ConnectionTable';
import { shortTime } from './MachinePanel';
import { binOf, edgeLinksQuery, edgeResponseQuery, edgeTrafficQuery, type EdgeRows } from './queries';
import { PanelHead, PanelTabs, type PanelProps } from './SelectionPanel';
import { SmallChart } from './SmallChart';

export function LinkPanel({ edges, world, window, onSelect, onClose }: PanelProps & { edges: readonly MapEdge[] }) {
  const sum = (value: (edge: MapEdge) => number) => edges.reduce((total, edge) => total + value(edge), 0);
  const responses = sum((edge) => edge.responses);
  const meanTime = responses === 0 ? undefined : sum((edge) => edge.responseTimeAverage * edge.responses) / responses;
  const [first] = edges;
  if (!first) return null;
  const ports = [...new Set(edges.map((edge) => edge.port))].sort((a, b) => a - b);
  const one = (end: (edge: MapEdge) => string) => (new Set(edges.map(end)).size === 1 ? placeOfEnd(world, end(first)) : machineName(end(first)));
  const machineName = (end: string) => world.machines.get(machineOf(world, end) ?? '')?.name ?? nameOfEnd(world, end);
  const source = one((edge) => edge.source);
  const target = one((edge) => edge.target);
  const failed = sum((edge) => edge.links.failed);
  return (
    <>
      <PanelHead
        title={`${source} → ${target}`} subtitle={ports.map((port) => `:${port}`).join(' ')} onClose={onClose}
        actions={[first.sourceMachine, first.targetMachine].map((id) => {
          const machine = id === null ? undefined : world.machines.get(id);
          return machine && <Button key={machine.id} size="small" onClick={() => onSelect(machine.id)}>{machine.name}</Button>;
        })}
      />
      <PanelTabs
        tabs={[
          {
            value: 'properties', label: 'Properties', content: () => (
              <Facts
                items={[
                  ['Made in the window', formatNumber(sum((edge) => edge.links.established))],
                  ['Ended', formatNumber(sum((edge) => edge.links.terminated))],
                  ['Open at the end', formatNumber(sum((edge) => edge.links.live))],
                  ['Failed', failed > 0 ? <strong key="failed">{formatNumber(failed)}</strong> : '0'],
                  ['Malicious', edges.some((edge) => edge.malicious) ? <strong key="malicious">An address is known to be malicious</strong> : ''],
                  ['Sent', formatBytes(sum((edge) => edge.bytes.sent))],
                  ['Received', formatBytes(sum((edge) => edge.bytes.received))],
                  ['Responses', responses > 0 ? formatNumber(responses) : ''],
                  ['Response time, mean', meanTime === undefined ? '' : `${formatNumber(meanTime)} ms`],
                  ['Response time, longest', responses > 0 ? `${formatNumber(Math.max(...edges.map((edge) => edge.responseTimeMax)))} ms` : ''],
                  ['First seen', shortTime(edges.map((edge) => edge.firstSeen).sort()[0])],
                  ['Last seen', shortTime(edges.map((edge) => edge.lastSeen).sort().at(-1))],
                ]}
              />
            ),
          },
          { value: 'performance', label: 'Performance', needs: 'Microsoft.OperationalInsights/workspaces/query/read', content: () => <LinkCharts edges={edges} window={window} world={world} /> },
          { value: 'connections', label: 'Connections', content: () => <ConnectionTable world={world} edges={edges} onSelect={onSelect} /> },
        ]}
      />
    </>
  );
}

/** More processes than this are not asked for one by one. */
const mostProcesses = 60;

/** Seen from the end that has an agent: the client's where it has one, as the sums are. */
function LinkCharts({ edges, world, window }: { edges: readonly MapEdge[] } & Pick<PanelProps, 'world' | 'window'>) {
  const known = (end: string) => {
    const process = world.processes.get(end);
    return process && !process.discovered ? process : undefined;
  };
  const clients = edges.filter((edge) => known(edge.source));
  const seen = clients.length > 0 ? clients : edges;
  const ends = new Set(seen.map((edge) => (clients.length > 0 ? edge.source : edge.target)));
  const processes = [...ends].flatMap((end) => known(end) ?? []);
  if (processes.length === 0) return <EmptyState title="No course over time" hint="Neither end has an agent of its own, so there are only the sums." />;
  if (processes.length > mostProcesses) return <EmptyState title="Too many at once" hint={`This line stands for ${processes.length} processes. Open the group or the machine and select one line.`} />;
  const rows: EdgeRows = { processes, ports: [...new Set(seen.map((edge) => edge.port))], direction: clients.length > 0 ? 'outbound' : 'inbound' };
  const bin = binOf((Date.parse(window.to) - Date.parse(window.from)) / 60_000);
  return (
    <>
      <SmallChart title="Traffic, bytes" query={edgeTrafficQuery(rows, bin)} window={window} />
      <SmallChart title="Connections" query={edgeLinksQuery(rows, bin)} window={window} />
      <SmallChart title="Response time, ms" query={edgeResponseQuery(rows, bin)} window={window} />
    </>
  );
}
