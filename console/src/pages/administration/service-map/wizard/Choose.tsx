// Many things to choose from: a list with boxes, found by a part of their names.
import { Button, Caption1, Checkbox, makeStyles, SearchBox, Text, tokens } from '@fluentui/react-components';
import { useId, useState, type ReactNode } from 'react';

const useStyles = makeStyles({
  head: { display: 'flex', alignItems: 'center', gap: '8px', flexWrap: 'wrap' },
  search: { flex: 1, minWidth: '180px' },
  list: { listStyle: 'none', margin: 0, padding: '2px 4px', height: '252px', overflow: 'auto', border: `1px solid ${tokens.colorNeutralStroke1}`, borderRadius: tokens.borderRadiusMedium, boxSizing: 'border-box' },
  item: { display: 'flex', alignItems: 'center', justifyContent: 'space-between', gap: '8px', paddingRight: '8px', borderRadius: tokens.borderRadiusMedium, ':hover': { backgroundColor: tokens.colorNeutralBackground1Hover } },
  note: { color: tokens.colorNeutralForeground2, textAlign: 'right' },
  none: { padding: '18px', color: tokens.colorNeutralForeground2 },
});

export interface Choice {
  id: string;
  name: string;
  /** What a person should know before choosing it. */
  note?: ReactNode;
}

interface ChooseProps {
  label: string;
  choices: readonly Choice[];
  chosen: readonly string[];
  onChange: (chosen: string[]) => void;
  /** Where there is nothing to choose. */
  nothing: string;
}

export function Choose({ label, choices, chosen, onChange, nothing }: ChooseProps) {
  const styles = useStyles();
  const id = useId();
  const [text, setText] = useState('');
  const isChosen = new Set(chosen);
  const shown = choices.filter((choice) => choice.name.toLowerCase().includes(text.trim().toLowerCase()));
  const shownIds = shown.map((choice) => choice.id);
  const setAll = (all: boolean) => onChange(all ? [...chosen, ...shownIds.filter((one) => !isChosen.has(one))] : chosen.filter((one) => !shownIds.includes(one)));
  return (
    <>
      <div className={styles.head}>
        <SearchBox className={styles.search} size="small" aria-label={`Find in ${label}`} placeholder="A part of the name" value={text} onChange={(_event, data) => setText(data.value)} />
        <Button size="small" disabledFocusable={shown.length === 0} onClick={() => setAll(true)}>Choose all</Button>
        <Button size="small" disabledFocusable={chosen.length === 0} onClick={() => setAll(false)}>Choose none</Button>
        <Caption1 role="status">{`${chosen.length} of ${choices.length} chosen`}</Caption1>
      </div>
      {/* It scrolls, and every item in it can have the focus. */}
      <ul className={styles.list} aria-label={label} id={id}>
        {shown.length === 0 && <li className={styles.none}><Text>{choices.length === 0 ? nothing : `Nothing has “${text.trim()}” in its name.`}</Text></li>}
        {shown.map((choice) => (
          <li key={choice.id} className={styles.item}>
            <Checkbox label={choice.name} checked={isChosen.has(choice.id)} onChange={(_event, data) => onChange(data.checked === true ? [...chosen, choice.id] : chosen.filter((one) => one !== choice.id))} />
            {choice.note && <Caption1 className={styles.note}>{choice.note}</Caption1>}
          </li>
        ))}
      </ul>
    </>
  );
}
