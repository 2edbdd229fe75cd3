// Tasks of an object: run one with its parameters, see how it went.
import { Badge, Button, Field, Input, makeStyles, Spinner, Subtitle2, Text, tokens } from '@fluentui/react-components';
import { PlayRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { request } from '../../api/client';
import { segment, shortName, useAction, useGroup, type ObjectTask, type TaskRun } from '../../api/management';
import { FormDialog } from '../../components/Dialogs';
import { ActionButton } from '../../components/May';
import { formatCell } from '../../components/format';
import { Facts, Preformatted, Section, Split } from '../../components/Page';
import { EmptyState, ErrorState, LoadingState } from '../../components/States';

const useStyles = makeStyles({
  panel: { padding: '14px 18px', display: 'flex', flexDirection: 'column', gap: '16px' },
  list: { listStyle: 'none', margin: '6px 0 0', padding: 0, display: 'flex', flexDirection: 'column', gap: '6px' },
  row: { display: 'flex', gap: '10px', alignItems: 'center', flexWrap: 'wrap' },
  muted: { color: tokens.colorNeutralForeground2 },
});

const colors = { Scheduled: 'informative', Started: 'brand', Succeeded: 'success', Failed: 'danger' } as const;

export function ObjectTasks({ object }: { object: string }) {
  const styles = useStyles();
  const tasks = useGroup<ObjectTask[]>(`/api/objects/${segment(object)}/tasks`, 60);
  const runs = useGroup<TaskRun[]>(`/api/tasks?object=${segment(object)}`, 2);
  const [asking, setAsking] = useState<ObjectTask>();
  const [open, setOpen] = useState<string>();
  if (tasks.isPending) return <LoadingState label="Reading the tasks" />;
  if (tasks.isError) return <ErrorState error={tasks.error} retry={() => void tasks.refetch()} />;
  if (tasks.data.length === 0) return <Split><EmptyState title="No tasks" hint="No pack has a task for objects of this class. Tasks of its host are on the host’s page." /></Split>;
  const names = new Map(tasks.data.map((task) => [task.task, task.name]));
  return (
    <Split label="Run" side={open && <RunPanel run={open} />}>
      <div className={styles.panel}>
        <Section top title="Tasks">
          <ul className={styles.list}>
            {tasks.data.map((task) => (
              <li key={task.task} className={styles.row}>
                <ActionButton needs="Watchkeeper/managementGroups/tasks/run/action" size="small" icon={<PlayRegular />} aria-label={`Run ${task.name}`} onClick={() => setAsking(task)}>Run</ActionButton>
                <span>{task.name}</span>
                <Text className={styles.muted}>{task.description}</Text>
              </li>
            ))}
          </ul>
        </Section>
        <Section top title="Runs">
          {runs.data?.length === 0 && <Text className={styles.muted}>No task has run on this object yet.</Text>}
          <ul className={styles.list} aria-label="Runs">
            {runs.data?.map((run) => (
              <li key={run.run} className={styles.row}>
                <Badge appearance="tint" color={colors[run.status]}>{run.status}</Badge>
                <Button size="small" appearance="transparent" onClick={() => setOpen(run.run)}>{names.get(run.task) ?? shortName(run.task)}</Button>
                <Text className={styles.muted}>{formatCell(run.submittedAt, 'datetime').slice(0, 19)} · {run.submittedBy}</Text>
              </li>
            ))}
          </ul>
        </Section>
      </div>
      {asking && <RunDialog task={asking} object={object} onDone={(run) => { setAsking(undefined); if (run) setOpen(run); }} />}
    </Split>
  );
}

function RunDialog({ task, object, onDone }: { task: ObjectTask; object: string; onDone: (run?: string) => void }) {
  const parameters = task.parameters.filter((one) => one.kind === 'parameter');
  const [values, setValues] = useState<Record<string, string>>({});
  const run = useAction(async () => {
    const runs = await request<TaskRun[]>('/api/tasks', { method: 'POST', body: { task: task.task, objects: [object], parameters: values } });
    onDone(runs?.[0]?.run);
  });
  return (
    <FormDialog title={task.name} submit="Run" ready pending={run.isPending} error={run.error} onSubmit={() => run.mutate(undefined)} onCancel={() => onDone()}>
      {task.description && <Text block>{task.description}</Text>}
      {parameters.length === 0 && <Text block>This task has no parameters.</Text>}
      {parameters.map((parameter) => (
        <Field key={`${parameter.module}/${parameter.name}`} label={parameter.name}>
          <Input value={values[parameter.name] ?? parameter.default ?? ''} onChange={(_event, data) => setValues((was) => ({ ...was, [parameter.name]: data.value }))} />
        </Field>
      ))}
    </FormDialog>
  );
}

function RunPanel({ run: id }: { run: string }) {
  const run = useGroup<TaskRun>(`/api/tasks/${segment(id)}`, 2);
  if (run.isPending) return <LoadingState label="Reading the run" />;
  if (run.isError) return <ErrorState error={run.error} retry={() => void run.refetch()} />;
  const it = run.data;
  return (
    <>
      <Subtitle2 as="h2">{shortName(it.task)}</Subtitle2>
      <Facts
        items={[
          ['Status', it.status],
          ['Submitted', `${formatCell(it.submittedAt, 'datetime').slice(0, 19)} by ${it.submittedBy}`],
          ['Finished', it.finishedAt ? formatCell(it.finishedAt, 'datetime').slice(0, 19) : ''],
          ['Error', it.error],
        ]}
      />
      {it.finishedAt === null && <Spinner size="tiny" label="Waiting for the agent" />}
      {it.output && <Preformatted label="Output">{it.output}</Preformatted>}
      {it.finishedAt && !it.output && <Text>It gave no output.</Text>}
    </>
  );
}
