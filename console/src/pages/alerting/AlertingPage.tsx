// What fires alerts from tables, and who is told: rules, action groups, processing rules, deliveries.
import { TabbedPage } from '../../components/TabbedPage';
import { DeliveriesTab } from './DeliveriesTab';
import { GroupsTab } from './GroupsTab';
import { ProcessingTab } from './ProcessingTab';
import { RulesTab } from './RulesTab';

const show = {
  rules: () => <RulesTab />,
  groups: () => <GroupsTab />,
  processing: () => <ProcessingTab />,
  deliveries: () => <DeliveriesTab />,
};

export default function AlertingPage() {
  return <TabbedPage path="/alerting" title="Alert rules" show={show} />;
}
