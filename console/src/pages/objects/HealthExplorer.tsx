// The health explorer: all monitors that an object's health is made of, and for the chosen one why it is so.
import { makeStyles, mergeClasses, Switch, tokens, Tree, TreeItem, TreeItemLayout, type TreeItemValue } from '@fluentui/react-components';
import { AlertRegular } from '@fluentui/react-icons';
import { useMemo, useState } from 'react';
import { segment, useGroup, type MonitorNode } from '../../api/management';
import { ago } from '../../components/format';
import { HealthIcon } from '../../components/HealthIcon';
import { Split } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { MonitorPanel } from './MonitorPanel';

const useStyles = makeStyles({
  tree: { padding: '8px 10px' },
  bar: { display: 'flex', padding: '2px 10px', borderBottom: `1px solid ${tokens.colorNeutralStroke2}` },
  name: { display: 'inline-flex', alignItems: 'center', gap: '8px' },
  muted: { color: tokens.colorNeutralForeground2, fontSize: '12px' },
  chosen: { backgroundColor: tokens.colorNeutralBackground1Selected, borderRadius: tokens.borderRadiusMedium },
});

export function HealthExplorer({ object }: { object: string }) {
  const styles = useStyles();
  const tree = useGroup<MonitorNode>(`/api/objects/${segment(object)}/monitors`, 5);
  const [onlyUnhealthy, setOnlyUnhealthy] = useState(false);
  const [chosenPath, setChosenPath] = useState<string>();
  const [toggled, setToggled] = useState<Map<string, boolean>>(new Map());
  const flat = useMemo(() => (tree.data ? flatten(tree.data, '') : []), [tree.data]);
  if (tree.isPending) return <LoadingState label="Reading the monitors" />;
  if (tree.isError) return <ErrorState error={tree.error} retry={() => void tree.refetch()} />;
  const cause = flat.find(({ node }) => node.members.length === 0 && isUnhealthy(node));
  const chosen = flat.find(({ path }) => path === chosenPath) ?? cause ?? flat[0];
  const isOpen = (path: string, node: MonitorNode) => toggled.get(path) ?? (isUnhealthy(node) || path.split('/').length < 3);
  const open = new Set<TreeItemValue>(flat.filter(({ path, node }) => isOpen(path, node)).map(({ path }) => path));
  const branch = (node: MonitorNode, above: string) => {
    const path = pathOf(node, above);
    const members = node.members.filter((member) => !onlyUnhealthy || isUnhealthy(member));
    const text = (
      <span className={mergeClasses(styles.name, chosen?.path === path && styles.chosen)}>
        <HealthIcon compact health={node.health} outOfContact={node.outOfContact} inMaintenance={node.inMaintenance} />
        <span>{node.name}{node.object !== tree.data.object && ` · ${node.objectName}`}</span>
        {isUnhealthy(node) && node.since && <span className={styles.muted}>since {ago(node.since, Date.now())}</span>}
        {node.raisesAlert && <AlertRegular aria-label="raises an alert" />}
      </span>
    );
    return (
      <TreeItem key={path} value={path} itemType={members.length > 0 ? 'branch' : 'leaf'} onFocus={(event) => { event.stopPropagation(); setChosenPath(path); }}>
        <TreeItemLayout>{text}</TreeItemLayout>
        {members.length > 0 && <Tree>{members.map((member) => branch(member, path))}</Tree>}
      </TreeItem>
    );
  };
  return (
    <Split label="Monitor" side={chosen && <MonitorPanel key={chosen.path} node={chosen.node} />}>
      <div className={styles.bar}><Switch label="Only unhealthy" checked={onlyUnhealthy} onChange={(_event, data) => setOnlyUnhealthy(data.checked)} /></div>
      {onlyUnhealthy && !isUnhealthy(tree.data) ? (
        <EmptyState title="Healthy" hint="No monitor of this object is in warning or critical." />
      ) : (
        <div className={styles.tree}>
          <Tree
            aria-label="Monitors" size="small" openItems={open}
            onOpenChange={(_event, data) => setToggled((was) => new Map(was).set(String(data.value), data.open))}
          >
            {branch(tree.data, '')}
          </Tree>
        </div>
      )}
    </Split>
  );
}

const isUnhealthy = (node: MonitorNode) => node.health === 'Error' || node.health === 'Warning';

const pathOf = (node: MonitorNode, above: string) => `${above}/${node.object}:${node.id}`;

interface Placed {
  path: string;
  node: MonitorNode;
}

/** Every node with its place in the tree, the worst branch first. */
function flatten(node: MonitorNode, above: string): Placed[] {
  const path = pathOf(node, above);
  return [{ path, node }, ...node.members.flatMap((member) => flatten(member, path))];
}
