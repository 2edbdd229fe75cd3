// One connection: what is wrong with it and what to do, how far it is read, what its product offers.
import { Badge, Button, Field, makeStyles, MessageBar, MessageBarBody, MessageBarTitle, ProgressBar, Spinner, Subtitle1, Text, tokens } from '@fluentui/react-components';
import { ArrowSyncRegular, DeleteRegular, DismissRegular, DocumentSearchRegular, EditRegular, PlugConnectedRegular } from '@fluentui/react-icons';
import { useNavigate } from 'react-router-dom';
import { itsmConnectionPath, testItsmConnection, type ItsmConnection, type ProductConfiguration } from '../../../api/itsm';
import { useAction, useGroup } from '../../../api/management';
import { ActionButton } from '../../../components/May';
import { ago, formatNumber } from '../../../components/format';
import { Facts, Section } from '../../../components/Page';
import { ErrorState } from '../../../components/States';
import { shareFragment } from '../../logs/share';
import { importWords, statusColours, statusWords, time, typeWords, until } from '../words';
import { partWords } from './problems';
import { productOf } from './products';

const useStyles = makeStyles({
  head: { display: 'flex', alignItems: 'flex-start', gap: '8px' },
  title: { flex: 1, overflowWrap: 'anywhere' },
  buttons: { display: 'flex', gap: '8px', flexWrap: 'wrap' },
  bar: { flexShrink: 0 },
  muted: { color: tokens.colorNeutralForeground2 },
  imports: { display: 'flex', flexDirection: 'column', gap: '10px', paddingTop: '6px' },
});

interface ConnectionPanelProps {
  connection: ItsmConnection;
  isSyncing: boolean;
  onSync: () => void;
  onEdit: () => void;
  onDelete: () => void;
  onClose: () => void;
}

export function ConnectionPanel({ connection, isSyncing, onSync, onEdit, onDelete, onClose }: ConnectionPanelProps) {
  const styles = useStyles();
  const navigate = useNavigate();
  const test = useAction(() => testItsmConnection(connection.id));
  const { problem } = connection;
  const product = productOf(connection.partner, connection.partnerTitle);
  const now = Date.now();
  return (
    <>
      <div className={styles.head}>
        <Subtitle1 as="h2" className={styles.title}>{connection.name}</Subtitle1>
        <Button size="small" appearance="subtle" icon={<DismissRegular />} aria-label="Close details" onClick={onClose} />
      </div>
      <div><Badge appearance="tint" color={statusColours[connection.status]}>{statusWords[connection.status]}</Badge></div>
      {problem && (
        <MessageBar intent="error" layout="multiline" className={styles.bar}>
          <MessageBarBody>
            <MessageBarTitle>{partWords(problem.part)?.title ?? 'The last sync failed'}</MessageBarTitle>
            <div>{sentence(problem.message)}</div>
            <div><b>What to do:</b> {problem.advice}.</div>
          </MessageBarBody>
        </MessageBar>
      )}
      <div className={styles.buttons}>
        <ActionButton needs="Watchkeeper/managementGroups/itsmConnections/sync/action" size="small" icon={isSyncing ? <Spinner size="extra-tiny" /> : <ArrowSyncRegular />} disabledFocusable={isSyncing} onClick={onSync}>Sync now</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/itsmConnections/write" size="small" icon={<EditRegular />} onClick={onEdit}>Edit</ActionButton>
        <ActionButton needs="Watchkeeper/managementGroups/itsmConnections/sync/action" size="small" icon={<PlugConnectedRegular />} disabledFocusable={test.isPending} onClick={() => test.mutate(undefined)}>{test.isPending ? 'Testing…' : 'Test'}</ActionButton>
        <Button size="small" icon={<DocumentSearchRegular />} onClick={() => navigate(`/logs${shareFragment({ query: connection.logQuery, timespan: 'P7D' })}`)}>Connector log</Button>
        <ActionButton needs="Watchkeeper/managementGroups/itsmConnections/delete" size="small" icon={<DeleteRegular />} onClick={onDelete}>Delete</ActionButton>
      </div>
      {test.isError && <ErrorState error={test.error} title="The test failed" />}
      {test.data && <MessageBar intent={test.data.warnings.length > 0 ? 'warning' : 'success'} layout="multiline" className={styles.bar}><MessageBarBody role="status"><MessageBarTitle>{test.data.product || product.title} answers</MessageBarTitle>{test.data.warnings.join('; ')}</MessageBarBody></MessageBar>}
      <Section title="Work items">
        {connection.imports.length === 0 && <Text className={styles.muted}>No type of work item is chosen: alerts become work items, and none come here.</Text>}
        <div className={styles.imports}>
          {connection.imports.map((one) => {
            const { text, part } = importWords(one);
            return (
              <Field key={one.type} label={product.workItems[one.type] ?? typeWords[one.type] ?? one.type} hint={text}>
                {one.complete ? null : <ProgressBar {...(part === undefined ? {} : { value: part })} />}
              </Field>
            );
          })}
        </div>
      </Section>
      <Section title="Synchronization">
        <Facts
          items={[
            ['Last sync', connection.lastSync ? `${time(connection.lastSync)} (${ago(connection.lastSync, now)})` : 'not yet'],
            ['Last success', connection.lastSuccess ? `${time(connection.lastSuccess)} (${ago(connection.lastSuccess, now)})` : 'not yet'],
            ['Next sync', connection.status === 'synchronizing' ? 'runs now' : until(connection.nextSync, now)],
          ]}
        />
      </Section>
      <Offers connection={connection} />
      <Section title="Connection">
        <Facts
          items={[
            ['Partner type', connection.partnerTitle],
            ['Server URL', connection.url],
            ['User name', connection.userName],
            ['Client ID', connection.clientId],
            ['Secrets', 'stored encrypted, never shown'],
            ['Past days', String(connection.days)],
            ['Creates configuration items', product.makesConfigurationItems ? (connection.createConfigurationItems ? 'yes' : 'no') : ''],
            ['Alerts become', connection.actions.join(', ')],
            [product.places?.label ?? 'Place', Object.entries(connection.places).map(([type, place]) => `${typeWords[type] ?? type}: ${place}`).join(', ')],
            ['Own authority', connection.authority ? 'its certificate is trusted' : ''],
            ['Changed', time(connection.modifiedAt)],
          ]}
        />
      </Section>
    </>
  );
}

/** What the product offers, as it was read last. */
function Offers({ connection }: { connection: ItsmConnection }) {
  const configuration = useGroup<ProductConfiguration>(connection.configurationAt ? `${itsmConnectionPath(connection.id)}/configuration` : undefined, 300);
  if (!connection.configurationAt) return null;
  const { data } = configuration;
  return (
    <Section title="Configuration of the product">
      {configuration.isError && <ErrorState error={configuration.error} />}
      {data && (
        <Facts
          items={[
            ['Templates', data.templates.map((one) => one.name).slice(0, 20).join(', ') + (data.templates.length > 20 ? ` and ${data.templates.length - 20} more` : '') || 'none'],
            ['Fields', formatNumber(data.fields.length)],
            ['Users', formatNumber(data.users.length)],
            ['Groups', formatNumber(data.groups.length)],
            ['Read', `${time(connection.configurationAt)}; every 24 hours, and with Sync now`],
          ]}
        />
      )}
    </Section>
  );
}

function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
