// Maintenance: what is in it, and what will be again and again.
import { TabbedPage } from '../../components/TabbedPage';
import { SchedulesTab } from './SchedulesTab';
import { WindowsTab } from './WindowsTab';

const show = {
  windows: () => <WindowsTab />,
  schedules: () => <SchedulesTab />,
};

export default function MaintenancePage() {
  return <TabbedPage path="/maintenance" title="Maintenance" show={show} />;
}
