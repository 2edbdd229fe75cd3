// Those without an agent: clients that connect to a port, or servers that are reached at one.
import { Button, makeStyles } from '@fluentui/react-components';
import { TargetArrowRegular } from '@fluentui/react-icons';
import { Facts } from '../../../components/Page';
import { clientsName, serversName } from '../graph/world';
import { ConnectionTable } from './ConnectionTable';
import { PanelHead, PanelTabs, type PanelProps } from './SelectionPanel';

const useStyles = makeStyles({
  list: { margin: 0, paddingLeft: '18px', fontSize: '13px', overflowWrap: 'anywhere' },
});

export function OutsidePanel({ members, world, onSelect, onFocus, onClose }: PanelProps & { members: readonly string[] }) {
  const styles = useStyles();
  const clients = members.flatMap((id) => world.clientGroups.get(id) ?? []);
  const servers = members.flatMap((id) => world.portGroups.get(id) ?? []);
  const addresses = [...new Set([...clients, ...servers].flatMap((group) => group.addresses))].sort();
  const number = Math.max(addresses.length, ...[...clients, ...servers].map((group) => group.members));
  const edges = [...new Set(members.flatMap((id) => world.edgesOf.get(id) ?? []))];
  const title = servers[0] ? serversName(servers[0]) : clientsName(number, addresses);
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
                <Facts items={[['Members', String(number)], ['Port', String(port ?? '')], ['Names', [...new Set(servers.flatMap((group) => group.dnsNames))].join(', ')]]} />
                <ul className={styles.list} aria-label="Addresses">{addresses.map((address) => <li key={address}>{address}</li>)}</ul>
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
