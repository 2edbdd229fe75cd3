// IT service management: what the service desks have, and the connections to them.
import { TabbedPage } from '../../components/TabbedPage';
import { ConnectionsTab } from './connections/ConnectionsTab';
import { DashboardTab } from './dashboard/DashboardTab';

const show = {
  dashboard: () => <DashboardTab />,
  connections: () => <ConnectionsTab />,
};

export default function ItsmPage() {
  return <TabbedPage path="/itsm" title="IT service management" show={show} />;
}
