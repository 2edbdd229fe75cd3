// An object that a person wants in a view.
import { Button, Caption1, Field, makeStyles, mergeClasses, SearchBox, Text, tokens } from '@fluentui/react-components';
import { useMemo, useState } from 'react';
import { request } from '../../api/client';
import { shortName, useAction, useGroup, type ManagedObject } from '../../api/management';
import { viewPath, type ViewDetails } from '../../api/serviceMap';
import { FormDialog } from '../../components/Dialogs';
import { HealthIcon } from '../../components/HealthIcon';
import { LoadingState } from '../../components/States';

const useStyles = makeStyles({
  search: { maxWidth: 'none' },
  list: { listStyle: 'none', margin: 0, padding: '4px', height: '280px', overflow: 'auto', border: `1px solid ${tokens.colorNeutralStroke1}`, borderRadius: tokens.borderRadiusMedium },
  item: { width: '100%', justifyContent: 'flex-start', gap: '8px', fontWeight: tokens.fontWeightRegular, textAlign: 'left' },
  chosen: { backgroundColor: tokens.colorNeutralBackground1Selected, fontWeight: tokens.fontWeightSemibold },
  name: { overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap', flex: 1 },
  muted: { color: tokens.colorNeutralForeground2 },
  none: { padding: '12px', color: tokens.colorNeutralForeground2 },
});

/** More are found by typing. */
const mostShown = 100;

export function AddMemberDialog({ view, onDone }: { view: ViewDetails; onDone: () => void }) {
  const styles = useStyles();
  const objects = useGroup<ManagedObject[]>('/api/objects', 60);
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState<string>();
  const add = useAction(async () => {
    await request(`${viewPath(view.object)}/members`, { method: 'POST', body: { object: chosen } });
    onDone();
  });
  const found = useMemo(() => {
    const here = new Set([view.object, ...view.members.map((member) => member.object)]);
    const words = text.toLowerCase().split(/\s+/).filter((word) => word !== '');
    const all = (objects.data ?? []).filter((one) => !here.has(one.id) && words.every((word) => `${one.name} ${one.path} ${one.classes.join(' ')}`.toLowerCase().includes(word)));
    return all.sort((a, b) => a.name.localeCompare(b.name) || a.path.localeCompare(b.path));
  }, [objects.data, view, text]);
  return (
    <FormDialog title={`Add to ${view.name}`} submit="Add" ready={chosen !== undefined} pending={add.isPending} error={add.error ?? objects.error} onSubmit={() => add.mutate(undefined)} onCancel={onDone}>
      <Field label="Object" hint="Its health counts for the view. It stays until somebody takes it away, whatever the map says.">
        <SearchBox className={styles.search} placeholder="Name, path or class" value={text} onChange={(_event, data) => setText(data.value)} />
      </Field>
      {objects.isPending ? <LoadingState label="Reading the objects" /> : (
        <ul className={styles.list} aria-label="Objects">
          {found.length === 0 && <li className={styles.none}>No object of the management group fits, or all that fit are in the view.</li>}
          {found.slice(0, mostShown).map((one) => (
            <li key={one.id}>
              <Button size="small" appearance="subtle" aria-pressed={one.id === chosen} className={mergeClasses(styles.item, one.id === chosen && styles.chosen)} onClick={() => setChosen(one.id)}>
                <HealthIcon compact health={one.health} outOfContact={one.outOfContact} />
                <span className={styles.name}>{one.path ? `${one.name} · ${one.path}` : one.name}</span>
                <Caption1 className={styles.muted}>{shortName(one.classes.at(-1) ?? '')}</Caption1>
              </Button>
            </li>
          ))}
        </ul>
      )}
      {found.length > mostShown && <Text size={200}>{found.length - mostShown} more are found by typing.</Text>}
    </FormDialog>
  );
}
