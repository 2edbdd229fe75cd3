// Administration: agents and how they join, gateways, resource pools, Run As accounts, connected workspaces, secrets and
// certificates, settings.
import { TabbedPage } from '../../components/TabbedPage';
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

const show = {
  agents: () => <AgentsTab />,
  enrolment: () => <EnrolmentTab />,
  gateways: () => <GatewaysTab />,
  pools: () => <PoolsTab />,
  accounts: () => <RunAsAccountsTab />,
  profiles: () => <RunAsProfilesTab />,
  'service-map': () => <ServiceMapTab />,
  'configuration-manager': () => <ConfigurationManagerTab />,
  'computer-groups': () => <ComputerGroupsTab />,
  secrets: () => <SecretsTab />,
  settings: () => <SettingsTab />,
};

export default function AdministrationPage() {
  return <TabbedPage path="/administration" title="Administration" show={show} />;
}
