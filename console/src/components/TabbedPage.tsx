// A page of tabs: those that the caller may see, and in the place of another what it takes.
import { Tab, TabList } from '@fluentui/react-components';
import type { ReactNode } from 'react';
import { useNavigate, useParams } from 'react-router-dom';
import { useMay } from '../api/permissions';
import { pageOf, type PagePath } from '../shell/pages';
import { Guarded } from './May';
import { Page } from './Page';

/** `show` has what is under each tab of the page's entry. */
export function TabbedPage({ path, title, show }: { path: PagePath; title: string; show: Record<string, () => ReactNode> }) {
  const navigate = useNavigate();
  const may = useMay();
  const { tab: asked } = useParams();
  const tabs = pageOf(path).tabs ?? [];
  const visible = tabs.filter((tab) => may(tab.needs));
  const tab = tabs.find((one) => one.value === asked) ?? visible[0] ?? tabs[0];
  return (
    <Page
      title={title}
      actions={visible.length > 0 && (
        <TabList size="small" selectedValue={tab?.value ?? ''} onTabSelect={(_event, data) => navigate(`${path}/${String(data.value)}`)}>
          {visible.map(({ value, label }) => <Tab key={value} value={value}>{label}</Tab>)}
        </TabList>
      )}
    >
      {tab && <Guarded key={tab.value} needs={tab.needs} label={`${title}, ${tab.label}`}>{show[tab.value]?.()}</Guarded>}
    </Page>
  );
}
