// Administration: agents, resource pools, settings of the management group.
import { Tab, TabList } from '@fluentui/react-components';
import { useNavigate, useParams } from 'react-router-dom';
import { Page } from '../../components/Page';
import { AgentsTab } from './AgentsTab';
import { PoolsTab } from './PoolsTab';
import { SettingsTab } from './SettingsTab';

const tabs: [string, string][] = [['agents', 'Agents'], ['pools', 'Resource pools'], ['settings', 'Settings']];

export default function AdministrationPage() {
  const navigate = useNavigate();
  const { tab = 'agents' } = useParams();
  return (
    <Page
      title="Administration"
      actions={
        <TabList size="small" selectedValue={tab} onTabSelect={(_event, data) => navigate(`/administration/${String(data.value)}`)}>
          {tabs.map(([value, label]) => <Tab key={value} value={value}>{label}</Tab>)}
        </TabList>
      }
    >
      {tab === 'agents' && <AgentsTab />}
      {tab === 'pools' && <PoolsTab />}
      {tab === 'settings' && <SettingsTab />}
    </Page>
  );
}
