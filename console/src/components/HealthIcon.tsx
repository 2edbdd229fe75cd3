// Health and severity as a sign and a word: never by colour alone.
import { makeStyles, mergeClasses, tokens } from '@fluentui/react-components';
import { CheckmarkCircleFilled, CircleRegular, DismissCircleFilled, InfoFilled, WarningFilled, WrenchFilled } from '@fluentui/react-icons';
import type { Severity } from '../api/alerts';
import type { Health } from '../api/management';

const useStyles = makeStyles({
  line: { position: 'relative', display: 'inline-flex', alignItems: 'center', gap: '6px', whiteSpace: 'nowrap', verticalAlign: 'middle' },
  icon: { fontSize: '16px', flexShrink: 0, display: 'inline-flex' },
  good: { color: tokens.colorPaletteGreenForeground1 },
  warning: { color: tokens.colorPaletteDarkOrangeForeground1 },
  bad: { color: tokens.colorPaletteRedForeground1 },
  info: { color: tokens.colorBrandForeground1 },
  none: { color: tokens.colorNeutralForeground3 },
  hidden: { position: 'absolute', width: '1px', height: '1px', overflow: 'hidden', clipPath: 'inset(50%)', whiteSpace: 'nowrap' },
});

export const healthWords: Record<Health, string> = { Success: 'Healthy', Warning: 'Warning', Error: 'Critical', Uninitialized: 'Not monitored' };

/** How bad each state is, for sorting: the worst first when it descends. */
export const healthRank: Record<Health, number> = { Error: 3, Warning: 2, Success: 1, Uninitialized: 0 };

const healthIcons = { Success: CheckmarkCircleFilled, Warning: WarningFilled, Error: DismissCircleFilled, Uninitialized: CircleRegular };
const healthStyles = { Success: 'good', Warning: 'warning', Error: 'bad', Uninitialized: 'none' } as const;

interface HealthProps {
  health: Health;
  /** Only the sign is seen; the word is there for screen readers. */
  compact?: boolean;
  /** No heartbeats come: the state is the last one known. */
  outOfContact?: boolean;
  inMaintenance?: boolean;
}

export function HealthIcon({ health, compact, outOfContact, inMaintenance }: HealthProps) {
  const styles = useStyles();
  const Icon = healthIcons[health];
  const words = [healthWords[health], ...(outOfContact ? ['out of contact'] : []), ...(inMaintenance ? ['in maintenance'] : [])].join(', ');
  return (
    <span className={styles.line} title={words}>
      <Icon aria-hidden className={mergeClasses(styles.icon, outOfContact ? styles.none : styles[healthStyles[health]])} />
      {inMaintenance && <WrenchFilled aria-hidden className={mergeClasses(styles.icon, styles.info)} />}
      <span className={compact ? styles.hidden : undefined}>{words}</span>
    </span>
  );
}

export const severityRank: Record<Severity, number> = { Error: 2, Warning: 1, Information: 0 };
export const severityWords: Record<Severity, string> = { Error: 'Critical', Warning: 'Warning', Information: 'Information' };
const severityIcons = { Error: DismissCircleFilled, Warning: WarningFilled, Information: InfoFilled };
const severityStyles = { Error: 'bad', Warning: 'warning', Information: 'info' } as const;

export function SeverityIcon({ severity, compact }: { severity: Severity; compact?: boolean }) {
  const styles = useStyles();
  const Icon = severityIcons[severity];
  return (
    <span className={styles.line} title={severityWords[severity]}>
      <Icon aria-hidden className={mergeClasses(styles.icon, styles[severityStyles[severity]])} />
      <span className={compact ? styles.hidden : undefined}>{severityWords[severity]}</span>
    </span>
  );
}
