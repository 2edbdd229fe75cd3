// What is searched, filtered, grouped, focused, and saved as a picture.
import { Button, Caption1, makeStyles, Menu, MenuDivider, MenuItem, MenuItemCheckbox, MenuList, MenuPopover, MenuTrigger, SearchBox, Select, SpinButton, Tab, TabList, Text, tokens } from '@fluentui/react-components';
import { ArrowDownloadRegular, DismissRegular, FilterFilled, FilterRegular, PinOffRegular, TargetArrowRegular } from '@fluentui/react-icons';
import { useEffect, useState } from 'react';
import type { MachineGroup } from '../../api/map';
import type { GroupBy } from './graph/grouping';
import type { PinState } from './pins';
import { mostSteps, type ChangeView, type MapView } from './viewState';
import { WithinSelect } from './WithinSelect';

const useStyles = makeStyles({
  line: { display: 'flex', alignItems: 'center', gap: '8px', flexWrap: 'wrap' },
  search: { width: '270px' },
  spacer: { flex: 1 },
  focus: { display: 'flex', alignItems: 'center', gap: '8px', flexWrap: 'wrap', padding: '4px 6px 4px 12px', borderRadius: tokens.borderRadiusMedium, backgroundColor: tokens.colorBrandBackground2, color: tokens.colorNeutralForeground1 },
  steps: { width: '72px' },
  stepLabel: { display: 'inline-flex', alignItems: 'center', gap: '6px' },
  count: { minWidth: '72px', whiteSpace: 'nowrap' },
});

const groupings: readonly { value: GroupBy; label: string }[] = [
  { value: 'auto', label: 'Group when there are many' },
  { value: 'none', label: 'No groups' },
  { value: 'machineGroup', label: 'By machine group' },
  { value: 'prefix', label: 'By beginning of the name' },
  { value: 'subnet', label: 'By subnet' },
];

const filters = [
  ['matches', 'onlyMatches', 'Only what the search finds'],
  ['failed', 'onlyFailed', 'Only failed connections'],
  ['problems', 'onlyProblems', 'Only machines with problems'],
  ['connected', 'onlyConnected', 'Hide machines without connections'],
] as const;

interface MapToolbarProps {
  view: MapView;
  change: ChangeView;
  focusName: string | undefined;
  /** Groups that people made. */
  groups: readonly MachineGroup[];
  /** How many machines and processes the search found. */
  found: number | undefined;
  onNextMatch: () => void;
  pins: PinState;
  canOpen: boolean;
  onOpenAll: () => void;
  onCloseAll: () => void;
  onSave: (kind: 'png' | 'svg') => void;
}

export function MapToolbar({ view, change, focusName, groups, found, onNextMatch, pins, canOpen, onOpenAll, onCloseAll, onSave }: MapToolbarProps) {
  const styles = useStyles();
  const [text, setText] = useState(view.text);
  const [known, setKnown] = useState(view.text);
  // The address may change by itself: with the browser's arrows.
  if (known !== view.text) {
    setKnown(view.text);
    setText(view.text);
  }
  useEffect(() => {
    if (text === view.text) return;
    const timer = setTimeout(() => change({ text }), 250);
    return () => clearTimeout(timer);
  }, [text, view.text, change]);
  const hasPins = Object.keys(pins.pins).length > 0;
  const chosen = filters.filter(([, key]) => view[key]).map(([name]) => name);
  return (
    <>
      <div className={styles.line} role="group" aria-label="Map">
        <TabList size="small" selectedValue={view.mode} onTabSelect={(_event, data) => change({ mode: data.value === 'list' ? 'list' : 'map' })} aria-label="Form">
          <Tab value="map">Map</Tab>
          <Tab value="list">List</Tab>
        </TabList>
        <SearchBox
          size="small" className={styles.search} aria-label="Search the map" placeholder="Machine, process, :port, address" value={text}
          onChange={(_event, data) => setText(data.value)}
          onKeyDown={(event) => { if (event.key === 'Enter') onNextMatch(); }}
        />
        {found !== undefined && <Caption1 className={styles.count} role="status">{found === 0 ? 'Nothing found' : `${found} found`}</Caption1>}
        <Menu checkedValues={{ only: chosen }} onCheckedValueChange={(_event, data) => change(Object.fromEntries(filters.map(([name, key]) => [key, data.checkedItems.includes(name)])))}>
          <MenuTrigger disableButtonEnhancement>
            <Button size="small" icon={chosen.length > 0 ? <FilterFilled /> : <FilterRegular />}>Filter{chosen.length > 0 ? ` (${chosen.length})` : ''}</Button>
          </MenuTrigger>
          <MenuPopover>
            <MenuList>{filters.map(([name, , label]) => <MenuItemCheckbox key={name} name="only" value={name}>{label}</MenuItemCheckbox>)}</MenuList>
          </MenuPopover>
        </Menu>
        <Select size="small" aria-label="Groups" value={view.groupBy} onChange={(_event, data) => change({ groupBy: data.value as GroupBy })}>
          {groupings.map((one) => <option key={one.value} value={one.value}>{one.label}</option>)}
        </Select>
        <WithinSelect value={view.within} groups={groups} onChange={(within) => change({ within })} />
        <span className={styles.spacer} />
        {hasPins && <Button size="small" appearance="subtle" icon={<PinOffRegular />} onClick={pins.unpinAll}>Unpin all</Button>}
        <Menu>
          <MenuTrigger disableButtonEnhancement><Button size="small" icon={<ArrowDownloadRegular />}>More</Button></MenuTrigger>
          <MenuPopover>
            <MenuList>
              <MenuItem disabled={!canOpen} onClick={onOpenAll}>Open all boxes</MenuItem>
              <MenuItem disabled={!canOpen} onClick={onCloseAll}>Close all boxes</MenuItem>
              <MenuDivider />
              {pins.own && hasPins && pins.mayShare && <MenuItem onClick={pins.share}>Share the pins with everybody</MenuItem>}
              {pins.own && pins.shared && <MenuItem onClick={pins.follow}>Show the shared pins again</MenuItem>}
              {!pins.own && pins.shared && pins.mayShare && <MenuItem onClick={pins.unshare}>Share the pins no longer</MenuItem>}
              {(pins.shared || (pins.own && hasPins && pins.mayShare)) && <MenuDivider />}
              <MenuItem disabled={!canOpen} onClick={() => onSave('png')}>Save as picture (PNG)</MenuItem>
              <MenuItem disabled={!canOpen} onClick={() => onSave('svg')}>Save as drawing (SVG)</MenuItem>
            </MenuList>
          </MenuPopover>
        </Menu>
      </div>
        {focusName !== undefined && (
          <div className={styles.focus} role="group" aria-label="Focus">
            <TargetArrowRegular aria-hidden />
            <Text size={200} weight="semibold">{focusName}</Text>
            <Steps label="Depends on it" value={view.upstream} onChange={(upstream) => change({ upstream })} />
            <Steps label="It depends on" value={view.downstream} onChange={(downstream) => change({ downstream })} />
            <Button size="small" appearance="subtle" icon={<DismissRegular />} onClick={() => change({ focus: undefined })}>Whole workspace</Button>
          </div>
        )}
    </>
  );
}

function Steps({ label, value, onChange }: { label: string; value: number; onChange: (value: number) => void }) {
  const styles = useStyles();
  return (
    <span className={styles.stepLabel}>
      <Caption1 aria-hidden>{label}</Caption1>
      <SpinButton
        size="small" className={styles.steps} aria-label={`Steps: ${label}`} min={0} max={mostSteps} value={value}
        onChange={(_event, data) => {
          const next = data.value ?? Number(data.displayValue);
          if (Number.isInteger(next) && next >= 0 && next <= mostSteps) onChange(next);
        }}
      />
    </span>
  );
}
