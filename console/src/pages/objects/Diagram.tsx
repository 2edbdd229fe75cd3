// The diagram view: an object with what it hosts and contains, as far as it is opened, each with its health.
import { Button, Caption1, makeStyles, mergeClasses, Spinner, Text, tokens } from '@fluentui/react-components';
import { ChevronDownRegular, ChevronRightRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { Link } from 'react-router-dom';
import { segment, shortName, useGroup, type Health, type ManagedObject, type ObjectDetails } from '../../api/management';
import { HealthIcon, healthRank } from '../../components/HealthIcon';
import { ErrorState, LoadingState } from '../../components/States';
import { Split } from '../../components/Page';

const line = `2px solid ${tokens.colorNeutralStroke1}`;

const useStyles = makeStyles({
  canvas: { padding: '16px 20px', width: 'max-content', minWidth: '100%', boxSizing: 'border-box' },
  node: { display: 'flex', alignItems: 'center' },
  box: { display: 'flex', alignItems: 'center', gap: '6px', width: '230px', flexShrink: 0, boxSizing: 'border-box', padding: '6px 6px 6px 10px', margin: '4px 0', border: `1px solid ${tokens.colorNeutralStroke1}`, borderLeftWidth: '5px', borderRadius: tokens.borderRadiusMedium, backgroundColor: tokens.colorNeutralBackground1 },
  good: { borderLeftColor: tokens.colorPaletteGreenForeground1 },
  warning: { borderLeftColor: tokens.colorPaletteDarkOrangeForeground1, backgroundColor: tokens.colorPaletteDarkOrangeBackground1 },
  bad: { borderLeftColor: tokens.colorPaletteRedForeground1, backgroundColor: tokens.colorPaletteRedBackground1 },
  none: { borderLeftColor: tokens.colorNeutralForeground3 },
  text: { flex: 1, minWidth: 0, display: 'flex', flexDirection: 'column' },
  link: { color: tokens.colorNeutralForeground1, fontWeight: 600, fontSize: '13px', overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' },
  kind: { color: tokens.colorNeutralForeground2, overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' },
  children: { listStyle: 'none', margin: 0, padding: 0, position: 'relative', display: 'flex', flexDirection: 'column' },
  // a stroke from the box to the list, one down the list, one to each child
  stem: { width: '18px', flexShrink: 0, borderTop: line },
  child: {
    position: 'relative', paddingLeft: '18px',
    '::before': { content: '""', position: 'absolute', left: 0, top: '50%', width: '18px', borderTop: line },
    '::after': { content: '""', position: 'absolute', left: 0, top: 0, bottom: 0, borderLeft: line },
    ':first-child::after': { top: '50%' },
    ':last-child::after': { bottom: '50%' },
    ':only-child::after': { display: 'none' },
  },
  above: { display: 'flex', flexWrap: 'wrap', gap: '4px 12px', alignItems: 'center', marginBottom: '12px' },
  aboveLink: { color: tokens.colorBrandForegroundLink },
  muted: { color: tokens.colorNeutralForeground2 },
});

const colours: Record<Health, 'good' | 'warning' | 'bad' | 'none'> = { Success: 'good', Warning: 'warning', Error: 'bad', Uninitialized: 'none' };

/** More children of one object are not drawn at once. */
const mostChildren = 60;

export function Diagram({ object }: { object: string }) {
  const styles = useStyles();
  const details = useGroup<ObjectDetails>(`/api/objects/${segment(object)}`, 5);
  if (details.isPending) return <LoadingState label="Reading the object" />;
  if (details.isError) return <ErrorState error={details.error} retry={() => void details.refetch()} />;
  const within = distinct(details.data.within);
  return (
    <Split>
      <div className={styles.canvas}>
        {within.length > 0 && (
          <nav className={styles.above} aria-label="Part of">
            <Text className={styles.muted}>Part of</Text>
            {within.map((one) => (
              <span key={one.id}><HealthIcon compact health={one.health} outOfContact={one.outOfContact} /> <Link className={styles.aboveLink} to={`/objects/${segment(one.id)}?tab=diagram`}>{one.name}</Link></span>
            ))}
          </nav>
        )}
        <Node object={details.data} trail={[]} startsOpen />
      </div>
    </Split>
  );
}

function Node({ object, trail, startsOpen }: { object: ManagedObject; trail: string[]; startsOpen?: boolean }) {
  const styles = useStyles();
  const [open, setOpen] = useState(startsOpen ?? false);
  const [all, setAll] = useState(false);
  const details = useGroup<ObjectDetails>(`/api/objects/${segment(object.id)}`, 15);
  const path = [...trail, object.id];
  // a group may contain what contains it: an object is not drawn below itself
  const children = details.data ? distinct([...details.data.hosts, ...details.data.contains]).filter((child) => !path.includes(child.id)) : [];
  const shown = all ? children : children.slice(0, mostChildren);
  return (
    <div className={styles.node}>
      <div className={mergeClasses(styles.box, styles[colours[object.health]])}>
        <HealthIcon compact health={object.health} outOfContact={object.outOfContact} inMaintenance={object.maintenanceUntil !== null} />
        <span className={styles.text}>
          <Link className={styles.link} title={object.name} to={`/objects/${segment(object.id)}`}>{object.name}</Link>
          <Caption1 className={styles.kind} title={object.classes.map(shortName).join(', ')}>{object.classes.map(shortName).join(', ')}</Caption1>
        </span>
        {children.length > 0 && (
          <Button
            size="small" appearance="subtle" aria-expanded={open} aria-label={`${open ? 'Close' : 'Open'} ${object.name}: ${children.length} within`}
            icon={open ? <ChevronDownRegular /> : <ChevronRightRegular />} iconPosition="after" onClick={() => setOpen(!open)}
          >
            {children.length}
          </Button>
        )}
        {details.isFetching && !details.data && <Spinner size="extra-tiny" aria-label={`Reading ${object.name}`} />}
      </div>
      {details.isError && <Text role="alert">It could not be read.</Text>}
      {open && children.length > 0 && (
        <>
          <span className={styles.stem} aria-hidden />
          <ul className={styles.children} aria-label={`Within ${object.name}`}>
            {shown.map((child) => <li key={child.id} className={styles.child}><Node object={child} trail={path} /></li>)}
            {shown.length < children.length && <li className={styles.child}><Button size="small" onClick={() => setAll(true)}>{children.length - shown.length} more</Button></li>}
          </ul>
        </>
      )}
    </div>
  );
}

/** Each once, the worst first. */
function distinct(objects: ManagedObject[]): ManagedObject[] {
  const byId = new Map(objects.map((one) => [one.id, one]));
  return [...byId.values()].sort((a, b) => healthRank[b.health] - healthRank[a.health] || a.name.localeCompare(b.name));
}
