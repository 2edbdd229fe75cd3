// What Verify found: every rule, kept or broken, with what to do.
import { makeStyles, Text, tokens } from '@fluentui/react-components';
import { CheckmarkCircleFilled, DismissCircleFilled } from '@fluentui/react-icons';
import type { Verified } from '../../../api/configurationManager';
import { checkWords } from './words';

const useStyles = makeStyles({
  list: { listStyle: 'none', margin: 0, padding: 0, display: 'flex', flexDirection: 'column', gap: '8px' },
  item: { display: 'grid', gridTemplateColumns: '20px minmax(0, 1fr)', gap: '8px', alignItems: 'start', overflowWrap: 'anywhere' },
  good: { color: tokens.colorPaletteGreenForeground1, fontSize: '18px' },
  bad: { color: tokens.colorPaletteRedForeground1, fontSize: '18px' },
  muted: { color: tokens.colorNeutralForeground2 },
});

export function Checks({ verified }: { verified: Verified }) {
  const styles = useStyles();
  return (
    <ul className={styles.list} aria-label="What was verified">
      {verified.checks.map((check) => (
        <li key={check.part} className={styles.item}>
          {check.ok ? <CheckmarkCircleFilled className={styles.good} aria-label="kept" /> : <DismissCircleFilled className={styles.bad} aria-label="broken" />}
          <span>
            <Text weight="semibold">{checkWords[check.part] ?? check.part}</Text>{': '}<Text>{check.message}</Text>
            {check.advice && <Text block size={200} className={styles.muted}>{check.advice}</Text>}
          </span>
        </li>
      ))}
    </ul>
  );
}
