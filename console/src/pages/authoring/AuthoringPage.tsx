// Authoring: management packs, what is in them, and what operators change of it.
import { TabbedPage } from '../../components/TabbedPage';
import { ElementsTab } from './ElementsTab';
import { GroupsTab } from './GroupsTab';
import { OverridesTab } from './OverridesTab';
import { PacksTab } from './PacksTab';
import { ShippedPacksTab } from './ShippedPacksTab';

const show = {
  packs: () => <PacksTab />,
  shipped: () => <ShippedPacksTab />,
  monitors: () => <ElementsTab key="monitor" kind="monitor" plural="monitors" />,
  rules: () => <ElementsTab key="rule" kind="rule" plural="rules" />,
  discoveries: () => <ElementsTab key="discovery" kind="discovery" plural="discoveries" />,
  groups: () => <GroupsTab />,
  overrides: () => <OverridesTab />,
};

export default function AuthoringPage() {
  return <TabbedPage path="/authoring" title="Authoring" show={show} />;
}
