// One rule: what it does, how it does, and what can be done with it.
import { Button, makeStyles, MessageBar, MessageBarBody, MessageBarTitle, Subtitle1 } from '@fluentui/react-components';
import { DeleteRegular, DismissRegular, EditRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { deleteResource, enableResource, rulesPath, type ActivityProperties, type AlertRule, type RuleProperties } from '../../api/alerting';
import { useAction } from '../../api/management';
import { ConfirmDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { formatCell } from '../../components/format';
import { Facts, Preformatted } from '../../components/Page';
import { ErrorState } from '../../components/States';
import { ActivityDialog } from './ActivityDialog';
import { activityFormOf } from './activityForm';
import { JsonDialog } from './JsonDialog';
import { RuleDialog } from './RuleDialog';
import { formOf } from './RuleForm';
import { activitySeverity, everyWords, eventWords, kindWords, lengthWords, operatorWords, severityNames, shortId } from './words';

const useStyles = makeStyles({
  head: { display: 'flex', alignItems: 'flex-start', gap: '8px' },
  title: { flex: 1, overflowWrap: 'anywhere' },
  buttons: { display: 'flex', gap: '8px', flexWrap: 'wrap' },
});

const time = (text: string | null) => (text ? formatCell(text, 'datetime').slice(0, 19) : '');

type Fact = [string, string | undefined];

function tableFacts(properties: RuleProperties): Fact[] {
  const condition = properties.criteria.allOf[0];
  const groups = Array.isArray(properties.actions) ? properties.actions.map((one) => one.actionGroupId) : properties.actions?.actionGroups ?? [];
  return [
    ['Severity', severityNames[properties.severity]],
    ['Measures', condition && [condition.timeAggregation, condition.metricMeasureColumn ?? condition.metricName].filter(Boolean).join(' of ')],
    ['Split by', (condition?.dimensions ?? []).map((one) => one.name).join(', ')],
    ['Fires when', condition && (condition.criterionType === 'DynamicThresholdCriterion' ? `${operatorWords[condition.operator] ?? condition.operator} what was learned (sensitivity ${condition.alertSensitivity ?? 'Medium'})` : `${operatorWords[condition.operator] ?? condition.operator} ${condition.threshold ?? ''}`)],
    ['Runs', everyWords(properties.evaluationFrequency)],
    ['Rows of', lengthWords(properties.windowSize)],
    ['Tells', groups.map(shortId).join(', ')],
  ];
}

function activityFacts(properties: ActivityProperties): Fact[] {
  return [
    ['Severity', severityNames[activitySeverity]],
    ['Fires at events whose', properties.condition.allOf.map(eventWords).join(', and ')],
    ['Tells', (properties.actions?.actionGroups ?? []).map((one) => shortId(one.actionGroupId)).join(', ')],
  ];
}

export function RulePanel({ rule, onClose }: { rule: AlertRule; onClose: () => void }) {
  const styles = useStyles();
  const [dialog, setDialog] = useState<'form' | 'json' | 'delete'>();
  const { health } = rule;
  const enabled = rule.properties.enabled !== false;
  const enable = useAction(async () => enableResource(rulesPath, rule.key, !enabled));
  const remove = useAction(async () => {
    await deleteResource(rulesPath, rule.key);
    onClose();
  });
  const form = rule.kind === 'activity' ? undefined : formOf(rule);
  const activityForm = rule.kind === 'activity' ? activityFormOf(rule.name, rule.properties) : undefined;
  const query = rule.kind === 'activity' ? undefined : rule.properties.criteria.allOf[0]?.query;
  return (
    <>
      <div className={styles.head}>
        <Subtitle1 as="h2" className={styles.title}>{rule.name}</Subtitle1>
        <Button size="small" appearance="subtle" icon={<DismissRegular />} aria-label="Close details" onClick={onClose} />
      </div>
      {health.error && <MessageBar intent="error" layout="multiline"><MessageBarBody><MessageBarTitle>Its query fails</MessageBarTitle>{health.error}</MessageBarBody></MessageBar>}
      <div className={styles.buttons}>
        {(form ?? activityForm) && <ActionButton needs="Microsoft.Insights/scheduledQueryRules/write" size="small" icon={<EditRegular />} onClick={() => setDialog('form')}>Edit</ActionButton>}
        <ActionButton needs="Microsoft.Insights/scheduledQueryRules/write" size="small" onClick={() => setDialog('json')}>Edit as JSON</ActionButton>
        <ActionButton needs="Microsoft.Insights/scheduledQueryRules/write" size="small" disabledFocusable={enable.isPending} onClick={() => enable.mutate(undefined)}>{enabled ? 'Disable' : 'Enable'}</ActionButton>
        <ActionButton needs="Microsoft.Insights/scheduledQueryRules/delete" size="small" icon={<DeleteRegular />} onClick={() => setDialog('delete')}>Delete</ActionButton>
      </div>
      {enable.isError && <ErrorState error={enable.error} />}
      {remove.isError && <ErrorState error={remove.error} />}
      <Facts
        items={[
          ['Description', rule.properties.description],
          ['Kind', kindWords[rule.kind] ?? rule.kind],
          ...(rule.kind === 'activity' ? activityFacts(rule.properties) : tableFacts(rule.properties)),
          ['Fired now', String(rule.fired)],
          ['Evaluated until', time(health.evaluatedUntil)],
          ['Took', health.lastRun ? `${health.lastDurationMs} ms` : ''],
          ['Left out', health.skippedEvaluations > 0 ? `${health.skippedEvaluations} evaluations` : ''],
          ['Changed', `${time(rule.modifiedAt)} by ${rule.modifiedBy}`],
        ]}
      />
      {query && <Preformatted label="Query of the rule">{query}</Preformatted>}
      {dialog === 'form' && form && rule.kind !== 'activity' && <RuleDialog rule={rule} form={form} onDone={() => setDialog(undefined)} />}
      {dialog === 'form' && activityForm && rule.kind === 'activity' && <ActivityDialog rule={rule} form={activityForm} onDone={() => setDialog(undefined)} />}
      {dialog === 'json' && <JsonDialog title={rule.name} path={rulesPath} resource={rule} kind={rule.kind} onDone={() => setDialog(undefined)} />}
      {dialog === 'delete' && (
        <ConfirmDialog title={`Delete ${rule.name}?`} confirm="Delete the rule" onConfirm={() => { setDialog(undefined); remove.mutate(undefined); }} onCancel={() => setDialog(undefined)}>
          It is no longer evaluated, and what it fired is resolved. Alerts that it made stay in their history.
        </ConfirmDialog>
      )}
    </>
  );
}
