// One monitor of an object: why it is so and since when, its state changes, its knowledge, its effective values.
import { makeStyles, Subtitle1, Tab, TabList, Text, tokens } from '@fluentui/react-components';
import { ArrowResetRegular, ArrowSyncRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { request } from '../../api/client';
import { segment, useAction, useGroup, type ElementDetails, type MonitorNode, type SettingValue, type StateChange } from '../../api/management';
import { DataItem } from '../../components/DataItem';
import { ActionButton } from '../../components/May';
import { ago, formatCell } from '../../components/format';
import { HealthIcon } from '../../components/HealthIcon';
import { Facts, Section } from '../../components/Page';
import { ErrorState, LoadingState } from '../../components/States';
import { EffectiveValues } from '../authoring/EffectiveValues';

const useStyles = makeStyles({
  actions: { display: 'flex', gap: '8px', flexWrap: 'wrap' },
  muted: { color: tokens.colorNeutralForeground2 },
  text: { whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' },
  list: { listStyle: 'none', margin: 0, padding: 0, display: 'flex', flexDirection: 'column', gap: '8px' },
  entry: { display: 'flex', alignItems: 'center', gap: '8px', flexWrap: 'wrap', fontSize: '13px' },
  link: { color: tokens.colorBrandForegroundLink },
});

export function MonitorPanel({ node }: { node: MonitorNode }) {
  const styles = useStyles();
  const [tab, setTab] = useState('why');
  const element = useGroup<ElementDetails>(`/api/elements/${segment(node.monitor)}`, 300);
  const tell = useAction((action: 'reset' | 'recalculate') => request(`/api/monitors/${action}`, { method: 'POST', body: { object: node.object, monitor: node.monitor } }));
  const unhealthy = node.members.filter((member) => member.health === node.health);
  return (
    <>
      <Subtitle1 as="h2">{node.name}</Subtitle1>
      {node.kind === 'Unit' && (
        <div className={styles.actions}>
          <ActionButton needs="Watchkeeper/managementGroups/monitors/reset/action" size="small" icon={<ArrowResetRegular />} disabledFocusable={tell.isPending} onClick={() => tell.mutate('reset')}>Reset health</ActionButton>
          <ActionButton needs="Watchkeeper/managementGroups/monitors/reset/action" size="small" icon={<ArrowSyncRegular />} disabledFocusable={tell.isPending} onClick={() => tell.mutate('recalculate')}>Recalculate health</ActionButton>
        </div>
      )}
      {tell.isError && <ErrorState error={tell.error} />}
      {tell.isSuccess && <Text role="status" className={styles.muted}>The agent was told; the state follows when it answers.</Text>}
      <TabList size="small" selectedValue={tab} onTabSelect={(_event, data) => setTab(String(data.value))}>
        <Tab value="why">Why</Tab>
        <Tab value="changes">State changes</Tab>
        <Tab value="knowledge">Knowledge</Tab>
        <Tab value="overrides">Overrides</Tab>
      </TabList>
      {tab === 'why' && (
        <>
          <Facts
            items={[
              ['State', <HealthIcon key="h" health={node.health} outOfContact={node.outOfContact} inMaintenance={node.inMaintenance} />],
              ['Since', node.since ? `${formatCell(node.since, 'datetime').slice(0, 19)} (${ago(node.since, Date.now())})` : ''],
              ['Object', <Link key="o" className={styles.link} to={`/objects/${segment(node.object)}`}>{node.objectName}</Link>],
              ['Kind', node.kind === 'Dependency' ? 'Dependency: rolls up from other objects' : node.kind === 'Aggregate' ? 'Aggregate: rolls up from its own monitors' : 'Unit: measures'],
              ['Because of', unhealthy.length > 0 && (node.health === 'Error' || node.health === 'Warning') ? unhealthy.map((member) => `${member.name} of ${member.objectName}`).join('; ') : ''],
              ['Alert', node.raisesAlert ? 'raises one' : 'raises none'],
              ['Pack', element.data?.pack],
            ]}
          />
          {node.outOfContact && <Text>The agent does not answer: this is the last state known.</Text>}
          {node.health === 'Uninitialized' && <Text className={styles.muted}>{node.kind === 'Unit' ? 'The agent has not said a state yet, or this monitor is switched off here.' : 'Nothing below it has a state yet.'}</Text>}
          {node.kind === 'Unit' && <Changes node={node} most={1} />}
          {node.kind === 'Unit' && <MeasuredAgainst node={node} />}
          {node.more > 0 && <Text className={styles.muted}>{node.more} more members are not listed.</Text>}
        </>
      )}
      {tab === 'changes' && <Changes node={node} most={50} />}
      {tab === 'knowledge' && (element.isPending ? <LoadingState label="Reading the article" /> : (
        <>
          {element.data?.description && <Text className={styles.text}>{element.data.description}</Text>}
          <Text className={styles.text}>{element.data?.knowledge || 'The pack has no article about this monitor.'}</Text>
        </>
      ))}
      {tab === 'overrides' && <EffectiveValues element={node.monitor} object={node.object} objectName={node.objectName} />}
    </>
  );
}

/** Longer values are scripts and lists: they are among the overrides. */
const longestShown = 80;

/** The parameters that hold for the object: what the measured values are held against. */
function MeasuredAgainst({ node }: { node: MonitorNode }) {
  const values = useGroup<SettingValue[]>(`/api/objects/${segment(node.object)}/overrides?element=${segment(node.monitor)}`, 60);
  const shown = (values.data ?? []).filter((one) => one.kind === 'parameter' && (one.value ?? '').trim() !== '' && (one.value ?? '').length <= longestShown && !(one.value ?? '').includes('\n'));
  if (shown.length === 0) return null;
  return (
    <Section title="Measured with">
      <Facts items={shown.map((one) => [one.name, one.override === null ? one.value : `${one.value ?? ''} (override for the ${one.scope ?? ''} ${one.scopeName ?? ''})`])} />
    </Section>
  );
}

function Changes({ node, most }: { node: MonitorNode; most: number }) {
  const styles = useStyles();
  const history = useGroup<{ states: StateChange[] }>(`/api/objects/${segment(node.object)}/history`, 10);
  if (history.isPending) return <LoadingState label="Reading the state changes" />;
  if (history.isError) return <ErrorState error={history.error} retry={() => void history.refetch()} />;
  const changes = history.data.states.filter((change) => change.monitor === node.id).sort((a, b) => b.time.localeCompare(a.time)).slice(0, most);
  if (changes.length === 0) return <Text className={styles.muted}>No change of this monitor’s state is kept.</Text>;
  return (
    <ul className={styles.list} aria-label={most === 1 ? 'Last state change' : 'State changes'}>
      {changes.map((change, i) => (
        <li key={`${change.time}/${i}`}>
          <div className={styles.entry}>
            <Text className={styles.muted}>{formatCell(change.time, 'datetime').slice(0, 19)}</Text>
            <HealthIcon compact health={change.from} /> → <HealthIcon health={change.to} />
            {change.state && change.state !== change.to && <span>{change.state}</span>}
          </div>
          {change.context && <DataItem text={change.context} label={`Context of ${change.time}`} />}
        </li>
      ))}
    </ul>
  );
}
