// The frame of the management group's pages: a head, a body that fills the rest, panels with facts.
import { makeStyles, mergeClasses, Subtitle2, Text, Title3, tokens } from '@fluentui/react-components';
import type { ReactNode } from 'react';

const useStyles = makeStyles({
  page: { height: '100%', boxSizing: 'border-box', padding: '14px 20px 16px', display: 'flex', flexDirection: 'column', gap: '10px', '& h1, & h2, & h3': { margin: 0 } },
  head: { display: 'flex', alignItems: 'center', gap: '10px', flexWrap: 'wrap', minHeight: '32px' },
  spacer: { flex: 1 },
  muted: { color: tokens.colorNeutralForeground2 },
  body: { flex: 1, minHeight: '260px', minWidth: 0, display: 'flex', border: `1px solid ${tokens.colorNeutralStroke2}`, borderRadius: tokens.borderRadiusMedium, backgroundColor: tokens.colorNeutralBackground1, overflow: 'hidden' },
  fill: { flex: 1, minWidth: 0, minHeight: 0, overflow: 'auto' },
  side: { width: '440px', maxWidth: '50%', flexShrink: 0, borderLeft: `1px solid ${tokens.colorNeutralStroke2}`, overflow: 'auto', padding: '12px 16px', boxSizing: 'border-box', display: 'flex', flexDirection: 'column', gap: '10px', '& h2': { overflowWrap: 'anywhere' } },
  facts: { display: 'grid', gridTemplateColumns: 'max-content minmax(0, 1fr)', gap: '4px 14px', margin: 0, fontSize: '13px' },
  term: { color: tokens.colorNeutralForeground2 },
  value: { margin: 0, overflowWrap: 'anywhere' },
  pre: { margin: 0, whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', fontFamily: tokens.fontFamilyMonospace, fontSize: '12px', lineHeight: '17px', backgroundColor: tokens.colorNeutralBackground2, padding: '8px 10px', borderRadius: tokens.borderRadiusMedium, maxHeight: '320px', overflow: 'auto' },
});

interface PageProps {
  title: string;
  /** What the page shows, in numbers. */
  summary?: ReactNode;
  /** To the right of the title. */
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, summary, actions, children }: PageProps) {
  const styles = useStyles();
  return (
    <div className={styles.page}>
      <div className={styles.head}>
        <Title3 as="h1">{title}</Title3>
        {summary && <Text className={styles.muted}>{summary}</Text>}
        <span className={styles.spacer} />
        {actions}
      </div>
      {children}
    </div>
  );
}

/** A row of controls. */
export function Toolbar({ children, label }: { children: ReactNode; label: string }) {
  const styles = useStyles();
  return <div className={styles.head} role="group" aria-label={label}>{children}</div>;
}

export function Spacer() {
  return <span className={useStyles().spacer} />;
}

/** What fills the page, with details beside it. */
export function Split({ children, side, label }: { children: ReactNode; side?: ReactNode; label?: string }) {
  const styles = useStyles();
  return (
    <div className={styles.body}>
      <div className={styles.fill}>{children}</div>
      {side && <aside className={styles.side} aria-label={label ?? 'Details'}>{side}</aside>}
    </div>
  );
}

/** Names and values; what is empty is left out. */
export function Facts({ items }: { items: [string, ReactNode][] }) {
  const styles = useStyles();
  const shown = items.filter(([, value]) => value !== '' && value !== null && value !== undefined);
  return (
    <dl className={styles.facts}>
      {shown.map(([name, value], at) => [<dt key={`term ${at}`} className={styles.term}>{name}</dt>, <dd key={`value ${at}`} className={styles.value}>{value}</dd>])}
    </dl>
  );
}

/** A part of a panel with its heading; at the top level where the panel has no heading of its own. */
export function Section({ title, children, top }: { title: string; children: ReactNode; top?: boolean }) {
  return (
    <section aria-label={title}>
      <Subtitle2 as={top ? 'h2' : 'h3'} block>{title}</Subtitle2>
      {children}
    </section>
  );
}

/** Text as it was written: scripts' output, contexts. */
export function Preformatted({ children, label, className }: { children: string; label: string; className?: string }) {
  const styles = useStyles();
  // It scrolls, so the keyboard has to reach it.
  // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
  return <pre className={mergeClasses(styles.pre, className)} role="region" tabIndex={0} aria-label={label}>{children}</pre>;
}
