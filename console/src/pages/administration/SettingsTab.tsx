// Settings of the management group.
import { Field, makeStyles, Radio, RadioGroup } from '@fluentui/react-components';
import { request } from '../../api/client';
import { useAction, useGroup } from '../../api/management';
import { useMay } from '../../api/permissions';
import { Section, Split } from '../../components/Page';
import { ErrorState, LoadingState } from '../../components/States';
import { HeartbeatSettings } from './HeartbeatSettings';

const useStyles = makeStyles({ panel: { padding: '14px 18px', display: 'flex', flexDirection: 'column', gap: '18px' } });

export function SettingsTab() {
  const styles = useStyles();
  const setting = useGroup<{ approval: string }>('/api/agents/approval', 30);
  const may = useMay();
  const save = useAction((approval: string) => request('/api/agents/approval', { method: 'PUT', body: { approval } }));
  if (setting.isPending) return <LoadingState label="Reading the settings" />;
  if (setting.isError) return <ErrorState error={setting.error} retry={() => void setting.refetch()} />;
  return (
    <Split>
      <div className={styles.panel}>
        <Section top title="New agents">
          {save.isError && <ErrorState error={save.error} />}
          <Field label="An agent that enrols for the first time">
            <RadioGroup disabled={!may('Watchkeeper/managementGroups/agents/write')} value={save.isPending ? save.variables : setting.data.approval} onChange={(_event, data) => save.mutate(data.value)}>
              <Radio value="auto" label="joins at once" />
              <Radio value="pending" label="waits under Agents until an administrator approves it" />
              <Radio value="reject" label="is refused" />
            </RadioGroup>
          </Field>
        </Section>
        <HeartbeatSettings />
      </div>
    </Split>
  );
}
