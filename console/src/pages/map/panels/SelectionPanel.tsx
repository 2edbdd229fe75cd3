// The details of what is selected: a machine, a process, a group, those outside, a line.
import { Button, makeStyles, Subtitle1, Tab, TabList, Text, tokens, Tooltip } from '@fluentui/react-components';
import { DismissRegular } from '@fluentui/react-icons';
import { useState, type ReactNode } from 'react';
import { useMay, type ActionName } from '../../../api/permissions';
import { EmptyState } from '../../../components/States';
import type { Link, Picture } from '../graph/picture';
import type { World } from '../graph/world';
import { GroupPanel } from './GroupPanel';
import { LinkPanel } from './LinkPanel';
import { MachinePanel } from './MachinePanel';
import { OutsidePanel } from './OutsidePanel';
import { ProcessPanel } from './ProcessPanel';

const useStyles = makeStyles({
  head: { display: 'flex', alignItems: 'flex-start', gap: '8px' },
  title: { flex: 1, minWidth: 0 },
  name: { margin: 0, overflowWrap: 'anywhere' },
  muted: { color: tokens.colorNeutralForeground2, overflowWrap: 'anywhere' },
  actions: { display: 'flex', gap: '6px', flexWrap: 'wrap' },
  tabs: { flexWrap: 'wrap', flexShrink: 0 },
  body: { display: 'flex', flexDirection: 'column', gap: '12px', minHeight: 0 },
});

export interface PanelProps {
  world: World;
  /** The window that is shown. */
  window: { from: string; to: string };
  onSelect: (id: string) => void;
  onFocus: (id: string) => void;
  onClose: () => void;
}

interface SelectionPanelProps extends PanelProps {
  id: string;
  picture: Picture;
}

export function SelectionPanel({ id, picture, ...props }: SelectionPanelProps) {
  const { world, onClose } = props;
  const machine = world.machines.get(id);
  if (machine) return <MachinePanel key={id} machine={machine} {...props} />;
  const process = world.processes.get(id);
  if (process) return <ProcessPanel key={id} process={process} {...props} />;
  const box = picture.boxes.find((one) => one.id === id);
  if (box?.kind === 'group') return <GroupPanel key={id} box={box} {...props} />;
  if (box) return <OutsidePanel key={id} members={box.members} {...props} />;
  if (world.clientGroups.has(id) || world.portGroups.has(id)) return <OutsidePanel key={id} members={[id]} {...props} />;
  const link: Pick<Link, 'edges'> | undefined = picture.links.find((one) => one.id === id) ?? edgeAlone(world, id);
  if (link) return <LinkPanel key={id} edges={link.edges} {...props} />;
  return (
    <>
      <PanelHead title="Not in this window" onClose={onClose} />
      <EmptyState title="It is not on the map now" hint="What was selected did not talk or report in this window, or it is drawn as part of another box. Choose another time, or select something else." />
    </>
  );
}

function edgeAlone(world: World, id: string): Pick<Link, 'edges'> | undefined {
  const edge = world.data.edges.find((one) => one.id === id);
  return edge && { edges: [edge] };
}

interface PanelHeadProps {
  title: string;
  subtitle?: ReactNode;
  actions?: ReactNode;
  onClose: () => void;
}

export function PanelHead({ title, subtitle, actions, onClose }: PanelHeadProps) {
  const styles = useStyles();
  return (
    <>
      <div className={styles.head}>
        <div className={styles.title}>
          <Subtitle1 as="h2" block className={styles.name}>{title}</Subtitle1>
          {subtitle && <Text block size={200} className={styles.muted}>{subtitle}</Text>}
        </div>
        <Tooltip content="Close details" relationship="label"><Button size="small" appearance="subtle" icon={<DismissRegular />} onClick={onClose} /></Tooltip>
      </div>
      {actions && <div className={styles.actions}>{actions}</div>}
    </>
  );
}

export function PanelTabs({ tabs: all }: { tabs: { value: string; label: string; needs?: ActionName; content: () => ReactNode }[] }) {
  const styles = useStyles();
  const may = useMay();
  const tabs = all.filter((tab) => may(tab.needs ?? []));
  const [chosen, setChosen] = useState(tabs[0]?.value ?? '');
  return (
    <>
      <TabList size="small" className={styles.tabs} selectedValue={chosen} onTabSelect={(_event, data) => setChosen(String(data.value))}>
        {tabs.map((tab) => <Tab key={tab.value} value={tab.value}>{tab.label}</Tab>)}
      </TabList>
      <div className={styles.body} role="tabpanel" aria-label={tabs.find((tab) => tab.value === chosen)?.label}>{tabs.find((tab) => tab.value === chosen)?.content()}</div>
    </>
  );
}
