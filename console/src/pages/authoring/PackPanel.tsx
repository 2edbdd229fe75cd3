// One pack: what it has, what of it cannot run here and why, its history; export and removal.
import { Badge, Button, Dialog, DialogActions, DialogBody, DialogContent, DialogSurface, DialogTitle, Link as FluentLink, makeStyles, Subtitle1, Text, tokens } from '@fluentui/react-components';
import { useState } from 'react';
import { request } from '../../api/client';
import { segment, useAction, useGroup, type PackDetails } from '../../api/management';
import { ActionButton } from '../../components/May';
import { formatCell } from '../../components/format';
import { Facts, Section } from '../../components/Page';
import { ErrorState, LoadingState } from '../../components/States';

const useStyles = makeStyles({
  actions: { display: 'flex', gap: '8px', alignItems: 'center' },
  list: { margin: '4px 0 0', paddingLeft: '18px', fontSize: '13px', display: 'flex', flexDirection: 'column', gap: '4px', overflowWrap: 'anywhere' },
  muted: { color: tokens.colorNeutralForeground2 },
  summary: { cursor: 'pointer', fontSize: '13px', padding: '2px 0' },
});

const kinds: [string, string][] = [['monitor', 'monitors'], ['rule', 'rules'], ['discovery', 'discoveries'], ['diagnostic', 'diagnostics'], ['recovery', 'recoveries'], ['task', 'tasks']];

export function PackPanel({ id, onGone }: { id: string; onGone: () => void }) {
  const styles = useStyles();
  const pack = useGroup<PackDetails>(`/api/packs/${segment(id)}`, 60);
  const [asking, setAsking] = useState(false);
  const remove = useAction(async () => {
    setAsking(false);
    await request(`/api/packs/${segment(id)}`, { method: 'DELETE' });
    onGone();
  });
  if (pack.isPending) return <LoadingState label="Reading the pack" />;
  if (pack.isError) return <ErrorState error={pack.error} retry={() => void pack.refetch()} />;
  const it = pack.data;
  const count = (kind: string) => it.workflows.filter((one) => one.kind === kind).length;
  const broken = it.workflows.filter((one) => one.runs !== 'yes');
  return (
    <>
      <Subtitle1 as="h2">{it.name}</Subtitle1>
      <div className={styles.actions}>
        <FluentLink href={`/api/packs/${segment(id)}/document`} download={`${id}.xml`}>Export as XML</FluentLink>
        {it.history.length > 0 && <ActionButton needs="Watchkeeper/managementGroups/packs/delete" size="small" onClick={() => setAsking(true)}>Remove…</ActionButton>}
      </div>
      {remove.isError && <ErrorState error={remove.error} />}
      <Facts
        items={[
          ['ID', it.id],
          ['Version', it.version],
          ['Classes', String(it.classes)],
          ['Monitors', String(count('monitor'))],
          ['Rules', String(count('rule'))],
          ['Discoveries', String(count('discovery'))],
          ['Tasks', String(count('task'))],
          ['Needs', it.references.join(', ')],
        ]}
      />
      <Section title="What cannot run here">
        {broken.length === 0 ? <Text className={styles.muted}>All of it runs.</Text> : (
          <ul className={styles.list}>
            {broken.map((one) => (
              <li key={one.element}>
                <Badge appearance="tint" color={one.runs === 'no' ? 'danger' : 'warning'}>{one.runs === 'no' ? 'does not run' : 'runs partly'}</Badge> {one.kind} {one.element}
                <div className={styles.muted}>{one.reasons.join('; ')}</div>
              </li>
            ))}
          </ul>
        )}
      </Section>
      <Section title="What runs">
        {kinds.map(([kind, plural]) => {
          const running = it.workflows.filter((one) => one.kind === kind && one.runs === 'yes');
          return running.length > 0 && (
            <details key={kind}>
              <summary className={styles.summary}>{running.length} {running.length === 1 ? kind : plural}</summary>
              <ul className={styles.list}>{running.map((one) => <li key={one.element}>{one.element}</li>)}</ul>
            </details>
          );
        })}
        {it.workflows.every((one) => one.runs !== 'yes') && <Text className={styles.muted}>{it.workflows.length === 0 ? 'The pack has nothing that runs: classes and types for other packs.' : 'Nothing of it.'}</Text>}
      </Section>
      {it.history.length > 0 && (
        <Section title="History">
          <ul className={styles.list}>
            {it.history.map((entry, i) => <li key={i}>{entry.version} {entry.change} <span className={styles.muted}>{formatCell(entry.at, 'datetime').slice(0, 19)} by {entry.by}</span></li>)}
          </ul>
        </Section>
      )}
      {asking && (
        <Dialog open onOpenChange={() => setAsking(false)}>
          <DialogSurface>
            <DialogBody>
              <DialogTitle>Remove {it.name}?</DialogTitle>
              <DialogContent>What it monitors is no longer watched, and the objects that only it found are removed. Import it again to have it back.</DialogContent>
              <DialogActions>
                <Button onClick={() => setAsking(false)}>Keep it</Button>
                <Button appearance="primary" onClick={() => remove.mutate(undefined)}>Remove</Button>
              </DialogActions>
            </DialogBody>
          </DialogSurface>
        </Dialog>
      )}
    </>
  );
}
