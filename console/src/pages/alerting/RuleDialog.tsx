// Makes or changes a log alert rule; before it is saved, a preview says how often it would have fired.
import { Button, Checkbox, Field, Input, makeStyles, MessageBar, MessageBarBody, Select, Text, Textarea, tokens } from '@fluentui/react-components';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { previewRule, rulesPath, saveResource, type TableRule, type Preview } from '../../api/alerting';
import { useAction } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';
import { ErrorState, LoadingState } from '../../components/States';
import { ComputerGroupPicker } from '../../components/ComputerGroupPicker';
import { GroupPicker } from './GroupPicker';
import { emptyRule, propertiesOf, type RuleForm } from './RuleForm';
import { lengthWords, names, severityNames } from './words';

const PreviewChart = lazy(() => import('./PreviewChart'));

const useStyles = makeStyles({
  pair: { display: 'grid', gridTemplateColumns: 'repeat(2, minmax(0, 1fr))', gap: '10px', alignItems: 'start', '& .fui-Input': { minWidth: 0, width: '100%' } },
  three: { display: 'grid', gridTemplateColumns: 'repeat(3, minmax(0, 1fr))', gap: '10px', alignItems: 'start', '& .fui-Input': { minWidth: 0, width: '100%' } },
  result: { display: 'flex', flexDirection: 'column', gap: '10px' },
  chart: { height: '180px', border: `1px solid ${tokens.colorNeutralStroke2}`, borderRadius: tokens.borderRadiusMedium },
});

const operators: [string, string][] = [['GreaterThan', 'more than'], ['GreaterThanOrEqual', 'at least'], ['LessThan', 'less than'], ['LessThanOrEqual', 'at most'], ['Equals', 'exactly']];
const times: [string, string][] = [['PT1M', '1 minute'], ['PT5M', '5 minutes'], ['PT10M', '10 minutes'], ['PT15M', '15 minutes'], ['PT30M', '30 minutes'], ['PT1H', '1 hour'], ['PT6H', '6 hours'], ['PT12H', '12 hours'], ['P1D', '1 day']];
const mutes: [string, string][] = [['', 'not at all'], ['PT30M', '30 minutes'], ['PT1H', '1 hour'], ['PT6H', '6 hours'], ['P1D', '1 day']];

interface RuleDialogProps {
  /** The rule that is changed, with its form. */
  rule?: TableRule;
  form?: RuleForm;
  onDone: () => void;
}

export function RuleDialog({ rule, form: given, onDone }: RuleDialogProps) {
  const styles = useStyles();
  const [form, setForm] = useState<RuleForm>(given ?? emptyRule);
  const [preview, setPreview] = useState<Preview>();
  const set = (change: Partial<RuleForm>) => setForm((was) => ({ ...was, ...change }));
  const text = (field: keyof RuleForm) => ({ value: String(form[field]), onChange: (_event: unknown, data: { value: string }) => set({ [field]: data.value }) });
  const properties = () => propertiesOf(form, rule?.properties);
  const look = useAction(async () => setPreview(await previewRule(form.name || 'preview', 'log', properties(), 'P7D')));
  const save = useAction(async () => {
    await saveResource(rulesPath, rule?.key, form.name, properties(), 'log');
    onDone();
  });
  // what the preview says is below the fields: it comes into sight
  const result = useRef<HTMLDivElement>(null);
  const { status } = look;
  useEffect(() => { if (status !== 'idle') result.current?.scrollIntoView({ block: 'end' }); }, [status, preview]);
  const ready = form.name.trim() !== '' && form.query.trim() !== '' && !Number.isNaN(Number(form.threshold)) && (form.aggregation === 'Count' || form.measure !== '');
  return (
    <FormDialog title={rule ? rule.name : 'New alert rule'} submit="Save" ready={ready} pending={save.isPending} error={save.error} onSubmit={() => save.mutate(undefined)} onCancel={onDone}>
      <div className={styles.pair}>
        <Field label="Name" required><Input {...text('name')} disabled={rule !== undefined} /></Field>
        <Field label="Severity"><Select {...text('severity')}>{severityNames.map((name, number) => <option key={name} value={number}>{name}</option>)}</Select></Field>
      </div>
      <Field label="Description"><Input {...text('description')} /></Field>
      <Field label="Query (KQL)" required hint="What it returns is counted or measured; keep TimeGenerated.">
        <Textarea {...text('query')} rows={4} resize="vertical" spellCheck={false} textarea={{ style: { fontFamily: 'monospace' } }} />
      </Field>
      <ComputerGroupPicker label="Only computers of" hint="The query keeps the column Computer" value={form.computers} onChange={(computers) => set({ computers })} />
      <div className={styles.three}>
        <Field label="Measure"><Select {...text('aggregation')}><option value="Count">Number of rows</option>{['Average', 'Minimum', 'Maximum', 'Total'].map((one) => <option key={one} value={one}>{one} of a column</option>)}</Select></Field>
        <Field label="Column" required={form.aggregation !== 'Count'}><Input {...text('measure')} disabled={form.aggregation === 'Count'} /></Field>
        <Field label="Split by" hint="Columns, with commas"><Input {...text('dimensions')} placeholder="Computer" /></Field>
      </div>
      <div className={styles.three}>
        <Field label="Fires when it is"><Select {...text('operator')}>{operators.map(([value, label]) => <option key={value} value={value}>{label}</option>)}</Select></Field>
        <Field label="Threshold"><Input type="number" {...text('threshold')} /></Field>
        <Field label="Rows of"><Select {...text('window')}>{withOwn(times, form.window)}</Select></Field>
      </div>
      <div className={styles.three}>
        <Field label="Looked at every"><Select {...text('frequency')}>{withOwn(times, form.frequency)}</Select></Field>
        <Field label="Violations needed"><Input type="number" min={1} {...text('violations')} /></Field>
        <Field label="of the last"><Input type="number" min={1} {...text('periods')} /></Field>
      </div>
      <div className={styles.pair}>
        <GroupPicker value={names(form.groups)} onChange={(groups) => set({ groups: groups.join(', ') })} />
        <Field label="Actions rest for"><Select {...text('mute')}>{withOwn(mutes, form.mute)}</Select></Field>
      </div>
      <Checkbox label="Resolves by itself" checked={form.autoMitigate} onChange={(_event, data) => set({ autoMitigate: data.checked === true })} />
      <div><Button size="small" disabledFocusable={!ready || look.isPending} onClick={() => look.mutate(undefined)}>Preview over the last 7 days</Button></div>
      <div ref={result} className={styles.result}>
        {look.isPending && <LoadingState label="Looking at the last 7 days" />}
        {look.isError && <ErrorState error={look.error} />}
        {preview && (
          <>
            <MessageBar intent={preview.fired > 20 ? 'warning' : 'info'} layout="multiline"><MessageBarBody role="status">The rule {preview.summary}.</MessageBarBody></MessageBar>
            {preview.series.length > 0 && <div className={styles.chart}><Suspense fallback={<LoadingState label="Drawing" />}><PreviewChart preview={preview} threshold={Number(form.threshold)} /></Suspense></div>}
            {preview.moreSeries > 0 && <Text>{preview.moreSeries} more series are not drawn.</Text>}
          </>
        )}
      </div>
    </FormDialog>
  );
}

/** The options, with the value that a rule has beside them. */
function withOwn(options: [string, string][], own: string) {
  const all: [string, string][] = options.some(([value]) => value === own) ? options : [...options, [own, lengthWords(own)]];
  return all.map(([value, label]) => <option key={value} value={value}>{label}</option>);
}
