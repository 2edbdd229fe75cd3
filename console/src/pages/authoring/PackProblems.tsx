// What is wrong in a pack's file, by line.
import { Badge, makeStyles, Table, TableBody, TableCell, TableHeader, TableHeaderCell, TableRow, tokens } from '@fluentui/react-components';
import type { PackProblem } from '../../api/management';

const useStyles = makeStyles({
  frame: { maxHeight: '240px', overflow: 'auto', border: `1px solid ${tokens.colorNeutralStroke2}`, borderTopStyle: 'none', backgroundColor: tokens.colorNeutralBackground1 },
  line: { width: '80px', fontVariantNumeric: 'tabular-nums' },
  severity: { width: '90px' },
  element: { width: '26%', overflowWrap: 'anywhere' },
  message: { overflowWrap: 'anywhere' },
});

const colors = { error: 'danger', warning: 'warning', note: 'informative' } as const;

export function PackProblems({ problems }: { problems: PackProblem[] }) {
  const styles = useStyles();
  if (problems.length === 0) return null;
  return (
    // It scrolls, so the keyboard has to reach it.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={styles.frame} role="region" aria-label="Problems" tabIndex={0}>
      <Table size="small" aria-label="Problems of the pack">
        <TableHeader>
          <TableRow>
            <TableHeaderCell className={styles.severity}>Severity</TableHeaderCell>
            <TableHeaderCell className={styles.line}>Line</TableHeaderCell>
            <TableHeaderCell className={styles.element}>Element</TableHeaderCell>
            <TableHeaderCell>Problem</TableHeaderCell>
          </TableRow>
        </TableHeader>
        <TableBody>
          {problems.map((problem, i) => (
            <TableRow key={i}>
              <TableCell className={styles.severity}><Badge appearance="tint" color={colors[problem.severity]}>{problem.severity}</Badge></TableCell>
              <TableCell className={styles.line}>{problem.line > 0 ? `${problem.line}:${problem.column}` : ''}</TableCell>
              <TableCell className={styles.element}>{problem.element}</TableCell>
              <TableCell className={styles.message}>{problem.message}</TableCell>
            </TableRow>
          ))}
        </TableBody>
      </Table>
    </div>
  );
}
