// What fires alerts from tables, and who is told: rules, action groups, processing rules, deliveries.
import { Tab, TabList } from '@fluentui/react-components';
import { useNavigate, useParams } from 'react-router-dom';
import { Page } from '../../components/Page';
import { DeliveriesTab } from './DeliveriesTab';
import { GroupsTab } from './GroupsTab';
import { ProcessingTab } from './ProcessingTab';
import { RulesTab } from './RulesTab';

const tabs: [string, string][] = [['rules', 'Alert rules'], ['groups', 'Action groups'], ['processing', 'Processing rules'], ['deliveries', 'Deliveries']];

export default function AlertingPage() {
  const navigate = useNavigate();
  const { tab = 'rules' } = useParams();
  return (
    <Page
      title="Alert rules"
      actions={
        <TabList size="small" selectedValue={tab} onTabSelect={(_event, data) => navigate(`/alerting/${String(data.value)}`)}>
          {tabs.map(([value, label]) => <Tab key={value} value={value}>{label}</Tab>)}
        </TabList>
      }
    >
      {tab === 'rules' && <RulesTab />}
      {tab === 'groups' && <GroupsTab />}
      {tab === 'processing' && <ProcessingTab />}
      {tab === 'deliveries' && <DeliveriesTab />}
    </Page>
  );
}
