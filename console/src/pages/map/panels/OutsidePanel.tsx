// Those without an agent: clients that connect to a port, or servers that are reached at one.
import { Button } from '@fluentui/react-components';
import { TargetArrowRegular } from '@fluentui/react-icons';
import { Facts } from '../../../components/Page';
import { clientsName, serversName } from '../graph/world';
import { ConnectionTable } from './ConnectionTable';
import { placeWords, RemoteAddresses } from './RemoteAddresses';
import { PanelHead, PanelTabs, type PanelProps } from './SelectionPanel';

export function OutsidePanel({ members, world, onSelect, onFocus, onClose }: PanelProps & { members: readonly string[] }) {
  const clients = members.flatMap((id) => world.clientGroups.get(id) ?? []);
  const servers = members.flatMap((id) => world.portGroups.get(id) ?? []);
  const addresses = [...new Set([...clients, ...servers].flatMap((group) => group.addresses))].sort();
  const number = Math.max(addresses.length, ...[...clients, ...servers].map((group) => group.members));
  const edges = [...new Set(members.flatMap((id) => world.edgesOf.get(id) ?? []))];
  const title = servers[0] ? serversName(servers[0]) : clientsName(number, addresses);
  const remotes = world.data.remotes ?? {};
  const places = [...new Set(addresses.map((address) => placeWords(remotes[address])).filter((place) => place !== ''))].sort();
  const malicious = Math.max(0, ...[...clients, ...servers].map((group) => group.malicious ?? 0));
  const port = [...clients, ...servers][0]?.port;
  const first = members[0];
  return (
    <>
      <PanelHead
        title={title} subtitle={servers.length > 0 ? `reached at port ${port ?? ''}; no agent` : `connect to port ${port ?? ''}; no agent`} onClose={onClose}
        actions={members.length === 1 && first !== undefined && <Button size="small" icon={<TargetArrowRegular />} onClick={() => onFocus(first)}>Show only what belongs to it</Button>}
      />
      <PanelTabs
        tabs={[
          {
            value: 'properties', label: 'Properties', content: () => (
              <>
                <Facts items={[['Members', String(number)], ['Port', String(port ?? '')], ['Names', [...new Set(servers.flatMap((group) => group.dnsNames))].join(', ')], ['Malicious', malicious > 0 ? <strong key="malicious">{malicious}</strong> : ''], ['Places', places.slice(0, 12).join(' · ') + (places.length > 12 ? ` and ${places.length - 12} more` : '')]]} />
                <RemoteAddresses addresses={addresses} remotes={remotes} />
                {number > addresses.length && <span>and {number - addresses.length} more</span>}
              </>
            ),
          },
          { value: 'connections', label: 'Connections', content: () => <ConnectionTable world={world} edges={edges} onSelect={onSelect} /> },
        ]}
      />
    </>
  );
}
