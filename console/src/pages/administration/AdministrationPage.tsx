// Administration: agents and how they join, gateways, resource pools, Run As accounts, connected workspaces, secrets and
// certificates, settings.
import { Tab, TabList } from '@fluentui/react-components';
import { useNavigate, useParams } from 'react-router-dom';
import { Page } from '../../components/Page';
import { AgentsTab } from './AgentsTab';
import { ComputerGroupsTab } from './ComputerGroupsTab';
import { ConfigurationManagerTab } from './configuration-manager/ConfigurationManagerTab';
import { EnrolmentTab } from './EnrolmentTab';
import { GatewaysTab } from './GatewaysTab';
import { PoolsTab } from './PoolsTab';
import { RunAsAccountsTab } from './RunAsAccountsTab';
import { RunAsProfilesTab } from './RunAsProfilesTab';
import { SecretsTab } from './SecretsTab';
import { ServiceMapTab } from './service-map/ServiceMapTab';
import { SettingsTab } from './SettingsTab';

const tabs: [string, string][] = [
  ['agents', 'Agents'], ['enrolment', 'Enrolment'], ['gateways', 'Gateways'], ['pools', 'Resource pools'], ['accounts', 'Run As accounts'], ['profiles', 'Run As profiles'], ['service-map', 'Service Map'], ['configuration-manager', 'Configuration Manager'], ['computer-groups', 'Computer groups'], ['secrets', 'Secrets and certificates'], ['settings', 'Settings'],
];

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
      {tab === 'enrolment' && <EnrolmentTab />}
      {tab === 'gateways' && <GatewaysTab />}
      {tab === 'pools' && <PoolsTab />}
      {tab === 'accounts' && <RunAsAccountsTab />}
      {tab === 'profiles' && <RunAsProfilesTab />}
      {tab === 'service-map' && <ServiceMapTab />}
      {tab === 'configuration-manager' && <ConfigurationManagerTab />}
      {tab === 'computer-groups' && <ComputerGroupsTab />}
      {tab === 'secrets' && <SecretsTab />}
      {tab === 'settings' && <SettingsTab />}
    </Page>
  );
}
