// A connected workspace: what it is, how its last sync went, which machines lack something.
import { Badge, makeStyles, MessageBar, MessageBarBody, MessageBarTitle, Subtitle1, Text, tokens } from '@fluentui/react-components';
import { Link } from 'react-router-dom';
import { segment } from '../../../api/management';
import type { WorkspaceConnection } from '../../../api/serviceMap';
import { ago, duration, formatCell } from '../../../components/format';
import { HealthIcon } from '../../../components/HealthIcon';
import { Facts, Section } from '../../../components/Page';
import { lackWords, syncWords } from './sync';
import { whereOf, whereWords } from './wizard/draft';

const useStyles = makeStyles({
  link: { color: tokens.colorBrandForegroundLink },
  muted: { color: tokens.colorNeutralForeground2 },
  list: { listStyle: 'none', margin: '6px 0 0', padding: 0, display: 'flex', flexDirection: 'column', gap: '10px' },
  machine: { display: 'flex', alignItems: 'center', gap: '8px', flexWrap: 'wrap' },
  bar: { flexShrink: 0 },
  links: { display: 'flex', gap: '14px', flexWrap: 'wrap' },
});

const day = 86_400_000;
/** A secret that ends so soon is spoken of. */
const warnDays = 30;

export function ConnectionPanel({ connection }: { connection: WorkspaceConnection }) {
  const styles = useStyles();
  const { lastSync, missing, rule } = connection;
  const left = connection.secretExpires === null ? undefined : (Date.parse(connection.secretExpires) - Date.now()) / day;
  const took = lastSync?.ended ? (Date.parse(lastSync.ended) - Date.parse(lastSync.began)) / 1000 : undefined;
  return (
    <>
      <Subtitle1 as="h2">{connection.name}</Subtitle1>
      <div className={styles.links}>
        <HealthIcon health={connection.health} />
        <Link className={styles.link} to={`/objects/${segment(connection.object)}`}>Health explorer</Link>
        <Link className={styles.link} to="/service-map/server-views">Diagrams</Link>
      </div>
      {lastSync?.outcome === 'failed' && <MessageBar intent="error" layout="multiline" className={styles.bar}><MessageBarBody><MessageBarTitle>The last sync failed</MessageBarTitle>{lastSync.error}</MessageBarBody></MessageBar>}
      {left !== undefined && left < warnDays && (
        <MessageBar intent={left < 0 ? 'error' : 'warning'} layout="multiline" className={styles.bar}><MessageBarBody><MessageBarTitle>{left < 0 ? 'The client secret has ended' : `The client secret ends in ${Math.ceil(left)} ${Math.ceil(left) === 1 ? 'day' : 'days'}`}</MessageBarTitle>Make another one for the application and enter it with Edit workspace.</MessageBarBody></MessageBar>
      )}
      <Section title="Last sync">
        {!lastSync && <Text className={styles.muted}>The first sync has not run yet.</Text>}
        {lastSync && (
          <Facts
            items={[
              ['Began', `${formatCell(lastSync.began, 'datetime').slice(0, 19)} (${ago(lastSync.began, Date.now())})`],
              ['Took', took === undefined ? 'it runs' : took < 1 ? 'less than a second' : duration(took)],
              ['Result', lastSync.outcome === 'succeeded' ? syncWords(lastSync) : ''],
            ]}
          />
        )}
      </Section>
      <Section title="Rule">
        <Facts
          items={[
            ['Enabled', rule.enabled ? 'yes' : 'no: it syncs only when told to'],
            ['IntervalMinutes', String(rule.intervalMinutes)],
            ['TimeWindowMinutes', String(rule.timeWindowMinutes)],
            ['TimeoutSeconds', String(rule.timeoutSeconds)],
          ]}
        />
        <Link className={styles.link} to="/authoring/rules">Override Microsoft.SystemCenter.ServiceMapImport.Rule</Link>
      </Section>
      <Section title={`Machines that lack something (${missing.length})`}>
        {missing.length === 0 && <Text className={styles.muted}>None: every machine of the map can be in a diagram.</Text>}
        <ul className={styles.list} aria-label="Machines that lack something">
          {missing.map((one) => (
            <li key={one.machine}>
              <div className={styles.machine}><Text weight="semibold">{one.machine}</Text><Badge appearance="outline" color="warning">{`no ${lackWords(one.lacks)}`}</Badge></div>
              <Text size={200}>{one.what}</Text>
            </li>
          ))}
        </ul>
      </Section>
      <Section title="Connection">
        <Facts
          items={[
            ['Workspace', connection.workspace],
            ['Resource group', connection.resourceGroup],
            ['Subscription', connection.subscription],
            ['On', whereWords({ where: whereOf(connection), endpoint: connection.endpoint })],
            ['Tokens from', whereOf(connection) !== 'elsewhere' || connection.authority === connection.endpoint ? '' : connection.authority],
            ['Tenant', connection.tenant],
            ['Application ID', connection.applicationId],
            ['Client secret', connection.secretSet ? (connection.secretExpires ? `stored, ends ${connection.secretExpires.slice(0, 10)}` : 'stored') : 'none'],
            ['Resource pool', connection.resourcePool],
            ['Machine groups', connection.machineGroups.map((one) => one.displayName).join(', ') || 'none'],
            ['Servers', connection.servers.join(', ') || 'none'],
          ]}
        />
      </Section>
    </>
  );
}
