// One alert: what it says, what to do about it, what happened to it.
import { Button, Field, Input, makeStyles, Subtitle1, Tab, TabList, Text, tokens } from '@fluentui/react-components';
import { DismissRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { editAlerts, type AlertDetails, type AlertHistoryEntry } from '../../api/alerts';
import { segment, useAction, useGroup } from '../../api/management';
import { DataItem } from '../../components/DataItem';
import { ActionButton } from '../../components/May';
import { formatCell } from '../../components/format';
import { HealthIcon, SeverityIcon } from '../../components/HealthIcon';
import { Facts } from '../../components/Page';
import { ErrorState, LoadingState } from '../../components/States';
import { WorkItemLinks, workItemNumbers } from '../itsm/WorkItemLinks';

const useStyles = makeStyles({
  head: { display: 'flex', alignItems: 'flex-start', gap: '8px' },
  title: { flex: 1, overflowWrap: 'anywhere' },
  description: { whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' },
  link: { color: tokens.colorBrandForegroundLink },
  list: { listStyle: 'none', margin: 0, padding: 0, display: 'flex', flexDirection: 'column', gap: '8px' },
  entry: { borderLeft: `2px solid ${tokens.colorNeutralStroke1}`, paddingLeft: '10px', fontSize: '13px' },
  muted: { color: tokens.colorNeutralForeground2 },
  fields: { display: 'grid', gridTemplateColumns: '1fr 1fr', gap: '8px' },
});

const time = (text: string | null | undefined) => (text ? formatCell(text, 'datetime').slice(0, 19) : '');

export function AlertDetailsPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const styles = useStyles();
  const [tab, setTab] = useState('general');
  const alert = useGroup<AlertDetails>(`/api/alerts/${segment(id)}`);
  if (alert.isPending) return <LoadingState label="Reading the alert" />;
  if (alert.isError) return <><Button size="small" onClick={onClose}>Close details</Button><ErrorState error={alert.error} retry={() => void alert.refetch()} /></>;
  const it = alert.data;
  return (
    <>
      <div className={styles.head}>
        <Subtitle1 as="h2" className={styles.title}>{it.name}</Subtitle1>
        <Button size="small" appearance="subtle" icon={<DismissRegular />} aria-label="Close details" onClick={onClose} />
      </div>
      <TabList size="small" selectedValue={tab} onTabSelect={(_event, data) => setTab(String(data.value))}>
        <Tab value="general">General</Tab>
        <Tab value="knowledge">Knowledge</Tab>
        <Tab value="history">History</Tab>
        <Tab value="context">Context</Tab>
        <Tab value="fields">Custom fields</Tab>
      </TabList>
      {tab === 'general' && (
        <>
          <Text className={styles.description}>{it.description || 'The pack gives no description.'}</Text>
          <Facts
            items={[
              ['Severity', <SeverityIcon key="s" severity={it.severity} />],
              ['Priority', it.priority],
              ['State', it.resolutionState],
              ['Owner', it.owner],
              ['Condition', it.monitorCondition],
              ['Source', it.object ? <Link key="o" className={styles.link} to={`/objects/${segment(it.object)}`}>{it.objectName || it.object}</Link> : it.objectName],
              ['Health', it.object && !it.rule ? <HealthIcon key="h" health={it.objectHealth} /> : ''],
              ['Computer', it.computer],
              ['Path', it.path],
              [it.isMonitorAlert ? 'Monitor' : 'Rule', it.rule?.name ?? it.workflowName],
              ['Dimensions', (it.rule?.dimensions ?? []).map((one) => `${one.name} ${one.value}`).join(', ')],
              ['Value', it.rule?.value === null || it.rule === undefined ? '' : `${it.rule.value} (${it.rule.operator} ${it.rule.threshold ?? ''})`],
              ['Window', it.rule && `${time(it.rule.windowStart)} to ${time(it.rule.windowEnd)}`],
              ['Over since', time(it.rule?.resolvedAt)],
              ['Work items', workItemNumbers(it) === '' ? '' : <WorkItemLinks key="w" alert={it} detailed />],
              ['Raised', time(it.timeRaised)],
              ['Repeats', it.repeatCount > 0 ? String(it.repeatCount) : ''],
              ['Last change', [time(it.lastModified), it.lastModifiedBy].filter(Boolean).join(' by ')],
              ['Resolved', it.timeResolved && [time(it.timeResolved), it.resolvedBy].filter(Boolean).join(' by ')],
            ]}
          />
          {it.object && <div><Link className={styles.link} to={`/objects/${segment(it.object)}`}>Open the health explorer</Link></div>}
          {it.rule && <div><Link className={styles.link} to={`/logs#${new URLSearchParams({ query: it.rule.query }).toString()}`}>Open the query</Link></div>}
        </>
      )}
      {tab === 'knowledge' && (
        it.knowledge ? <Text className={styles.description}>{it.knowledge}</Text> : <Text className={styles.muted}>The pack has no article about {it.workflowName ?? 'this'}. The state changes of its monitor, with the values that led to them, are in the health explorer.</Text>
      )}
      {tab === 'history' && <History id={id} />}
      {tab === 'context' && (it.context ? <DataItem text={it.context} label="Context of the alert" /> : <Text className={styles.muted}>Nothing was handed over with this alert.</Text>)}
      {tab === 'fields' && <CustomFields key={it.customFields.join('\n')} alert={it} />}
    </>
  );
}

function History({ id }: { id: string }) {
  const styles = useStyles();
  const history = useGroup<AlertHistoryEntry[]>(`/api/alerts/${segment(id)}/history`);
  if (history.isPending) return <LoadingState label="Reading the history" />;
  if (history.isError) return <ErrorState error={history.error} retry={() => void history.refetch()} />;
  return (
    <ul className={styles.list} aria-label="History of the alert">
      {history.data.map((entry, i) => (
        <li key={`${entry.time}/${i}`} className={styles.entry}>
          <div>{entry.resolutionState}{entry.owner && ` · ${entry.owner}`}</div>
          {entry.comment && <div className={styles.description}>{entry.comment}</div>}
          <div className={styles.muted}>{time(entry.time)} · {entry.by}</div>
        </li>
      ))}
    </ul>
  );
}

function CustomFields({ alert }: { alert: AlertDetails }) {
  const styles = useStyles();
  const [fields, setFields] = useState(alert.customFields);
  const save = useAction(async () => {
    const changed = fields.flatMap((value, i) => (value === alert.customFields[i] ? [] : [[String(i + 1), value]]));
    const outcome = await editAlerts([alert], { customFields: Object.fromEntries(changed) as Record<string, string> });
    if (outcome.refused[0]) throw outcome.refused[0].error;
  });
  return (
    <form onSubmit={(event) => { event.preventDefault(); save.mutate(); }}>
      <div className={styles.fields}>
        {fields.map((value, i) => (
          <Field key={i} size="small" label={`Custom field ${i + 1}`}>
            <Input value={value} onChange={(_event, data) => setFields((was) => was.map((old, at) => (at === i ? data.value : old)))} />
          </Field>
        ))}
      </div>
      {save.isError && <ErrorState error={save.error} />}
      <p><ActionButton needs="Microsoft.AlertsManagement/alerts/changestate/action" type="submit" size="small" appearance="primary" disabled={save.isPending || fields.every((value, i) => value === alert.customFields[i])}>Save the fields</ActionButton></p>
    </form>
  );
}
