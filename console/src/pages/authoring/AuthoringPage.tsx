// Authoring: management packs, what is in them, and what operators change of it.
import { Tab, TabList } from '@fluentui/react-components';
import { useNavigate, useParams } from 'react-router-dom';
import { Page } from '../../components/Page';
import { ElementsTab } from './ElementsTab';
import { GroupsTab } from './GroupsTab';
import { OverridesTab } from './OverridesTab';
import { PacksTab } from './PacksTab';
import { ShippedPacksTab } from './ShippedPacksTab';

const tabs: [string, string][] = [['packs', 'Management packs'], ['shipped', 'Shipped packs'], ['monitors', 'Monitors'], ['rules', 'Rules'], ['discoveries', 'Discoveries'], ['groups', 'Groups'], ['overrides', 'Overrides']];

export default function AuthoringPage() {
  const navigate = useNavigate();
  const { tab = 'packs' } = useParams();
  return (
    <Page
      title="Authoring"
      actions={
        <TabList size="small" selectedValue={tab} onTabSelect={(_event, data) => navigate(`/authoring/${String(data.value)}`)}>
          {tabs.map(([value, label]) => <Tab key={value} value={value}>{label}</Tab>)}
        </TabList>
      }
    >
      {tab === 'packs' && <PacksTab />}
      {tab === 'shipped' && <ShippedPacksTab />}
      {tab === 'monitors' && <ElementsTab key="monitor" kind="monitor" plural="monitors" />}
      {tab === 'rules' && <ElementsTab key="rule" kind="rule" plural="rules" />}
      {tab === 'discoveries' && <ElementsTab key="discovery" kind="discovery" plural="discoveries" />}
      {tab === 'groups' && <GroupsTab />}
      {tab === 'overrides' && <OverridesTab />}
    </Page>
  );
}
