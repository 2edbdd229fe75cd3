// One object: its health explorer, its diagram, its performance, its properties, its tasks, its maintenance.
import { Breadcrumb, BreadcrumbDivider, BreadcrumbItem, makeStyles, Subtitle1, Tab, TabList, Text, tokens } from '@fluentui/react-components';
import { WrenchRegular } from '@fluentui/react-icons';
import { lazy, Suspense, useState } from 'react';
import { Link, useParams, useSearchParams } from 'react-router-dom';
import { request } from '../../api/client';
import { segment, shortName, useAction, useGroup, type ObjectDetails } from '../../api/management';
import { ActionButton } from '../../components/May';
import { ago, formatCell } from '../../components/format';
import { HealthIcon } from '../../components/HealthIcon';
import { Facts, Page, Section, Spacer, Split, Toolbar } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';
import { StartMaintenance } from '../maintenance/StartMaintenance';
import { Diagram } from './Diagram';
import { HealthExplorer } from './HealthExplorer';
import { ObjectTasks } from './ObjectTasks';

// it brings the charts with it
const ObjectPerformance = lazy(() => import('./ObjectPerformance'));

const useStyles = makeStyles({
  link: { color: tokens.colorBrandForegroundLink },
  panel: { padding: '14px 18px', display: 'flex', flexDirection: 'column', gap: '16px' },
  muted: { color: tokens.colorNeutralForeground2 },
  hosted: { listStyle: 'none', margin: '6px 0 0', padding: 0, display: 'grid', gridTemplateColumns: 'repeat(auto-fill, minmax(260px, 1fr))', gap: '6px 16px' },
  row: { display: 'flex', gap: '2px 10px', alignItems: 'center', flexWrap: 'wrap' },
});

export default function ObjectPage() {
  const styles = useStyles();
  const { object = '' } = useParams();
  const [parameters, setParameters] = useSearchParams();
  const [starting, setStarting] = useState(false);
  const tab = parameters.get('tab') ?? 'health';
  const path = `/api/objects/${segment(object)}`;
  const details = useGroup<ObjectDetails>(path, 5);
  const stop = useAction(() => request(`/api/maintenance/${segment(object)}`, { method: 'DELETE' }));
  if (details.isPending) return <LoadingState label="Reading the object" />;
  if (details.isError) return <ErrorState error={details.error} retry={() => void details.refetch()} />;
  const it = details.data;
  return (
    <Page
      title={it.name}
      summary={<><HealthIcon health={it.health} outOfContact={it.outOfContact} inMaintenance={it.maintenanceUntil !== null} />{it.since && <> since {ago(it.since, Date.now())}</>}</>}
      actions={it.maintenanceUntil === null
        ? <ActionButton needs="Watchkeeper/managementGroups/maintenance/write" size="small" icon={<WrenchRegular />} onClick={() => setStarting(true)}>Start maintenance</ActionButton>
        : <><Text className={styles.muted}>until {formatCell(it.maintenanceUntil, 'datetime').slice(0, 16)} UTC</Text><ActionButton needs="Watchkeeper/managementGroups/maintenance/write" size="small" icon={<WrenchRegular />} disabledFocusable={stop.isPending} onClick={() => stop.mutate(undefined)}>End maintenance</ActionButton></>}
    >
      <Toolbar label="Object">
        <Breadcrumb size="small" aria-label="Path">
          <BreadcrumbItem><Link to="/state" className={styles.link}>State</Link></BreadcrumbItem>
          {it.path && <><BreadcrumbDivider /><BreadcrumbItem>{it.path}</BreadcrumbItem></>}
          <BreadcrumbDivider />
          <BreadcrumbItem>{it.classes.map(shortName).join(', ')}</BreadcrumbItem>
        </Breadcrumb>
        <Spacer />
        <TabList size="small" selectedValue={tab} onTabSelect={(_event, data) => setParameters({ tab: String(data.value) }, { replace: true })}>
          <Tab value="health">Health explorer</Tab>
          <Tab value="diagram">Diagram</Tab>
          <Tab value="performance">Performance</Tab>
          <Tab value="tasks">Tasks</Tab>
          <Tab value="properties">Properties</Tab>
        </TabList>
      </Toolbar>
      {stop.isError && <ErrorState error={stop.error} />}
      {starting && <StartMaintenance objects={[it]} onDone={() => setStarting(false)} />}
      {tab === 'health' && <HealthExplorer key={it.id} object={it.id} />}
      {tab === 'diagram' && <Diagram key={it.id} object={it.id} />}
      {tab === 'performance' && <Suspense fallback={<LoadingState label="Loading the charts" />}><ObjectPerformance key={it.id} object={it} /></Suspense>}
      {tab === 'tasks' && <ObjectTasks key={it.id} object={it.id} />}
      {tab === 'properties' && (
        <Split>
          <div className={styles.panel}>
            <Section top title="Properties"><Facts items={propertiesOf(it.properties)} /></Section>
            <Section top title="What it hosts">
              {it.hosts.length === 0 && <Text className={styles.muted}>It hosts nothing.</Text>}
              <ul className={styles.hosted}>
                {it.hosts.map((one) => (
                  <li key={one.id} className={styles.row}>
                    <HealthIcon compact health={one.health} outOfContact={one.outOfContact} inMaintenance={one.maintenanceUntil !== null} />
                    <Link className={styles.link} to={`/objects/${segment(one.id)}`}>{one.name}</Link>
                    <Text size={200} className={styles.muted}>{one.classes.map(shortName).at(-1)}</Text>
                  </li>
                ))}
              </ul>
            </Section>
          </div>
        </Split>
      )}
      {it.classes.length === 0 && <EmptyState title="No class" hint={<Subtitle1>The pack of this object’s class was removed.</Subtitle1>} />}
    </Page>
  );
}

/** Properties by name; those of nested bags with the last part of their class. */
function propertiesOf(properties: Record<string, unknown>): [string, string][] {
  return Object.entries(properties).flatMap(([name, value]): [string, string][] => {
    if (typeof value === 'object' && value !== null) return propertiesOf(value as Record<string, unknown>);
    return [[shortName(name), value === null || value === undefined ? '' : String(value)]];
  }).sort(([a], [b]) => a.localeCompare(b));
}
