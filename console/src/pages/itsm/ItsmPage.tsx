// IT service management: what the service desks have, and the connections to them.
import { Tab, TabList } from '@fluentui/react-components';
import { useNavigate, useParams } from 'react-router-dom';
import { Page } from '../../components/Page';
import { ConnectionsTab } from './connections/ConnectionsTab';
import { DashboardTab } from './dashboard/DashboardTab';

const tabs: [string, string][] = [['dashboard', 'Dashboard'], ['connections', 'ITSM connections']];

export default function ItsmPage() {
  const navigate = useNavigate();
  const { tab = 'dashboard' } = useParams();
  return (
    <Page
      title="IT service management"
      actions={
        <TabList size="small" selectedValue={tab} onTabSelect={(_event, data) => navigate(`/itsm/${String(data.value)}`)}>
          {tabs.map(([value, label]) => <Tab key={value} value={value}>{label}</Tab>)}
        </TabList>
      }
    >
      {tab === 'dashboard' && <DashboardTab />}
      {tab === 'connections' && <ConnectionsTab />}
    </Page>
  );
}
