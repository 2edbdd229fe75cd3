// The work items of an alert: their numbers, each a link to where a person reads it.
import { makeStyles, tokens } from '@fluentui/react-components';
import { Fragment } from 'react';
import type { Alert } from '../../api/alerts';

const useStyles = makeStyles({ link: { color: tokens.colorBrandForegroundLink, fontWeight: 600 } });

interface WorkItemLinksProps {
  alert: Pick<Alert, 'workItems' | 'ticketId'>;
  /** With the state and the connection of each. */
  detailed?: boolean;
}

export function WorkItemLinks({ alert, detailed }: WorkItemLinksProps) {
  const styles = useStyles();
  const items = alert.workItems;
  // a ticket that somebody wrote down has no link
  const written = alert.ticketId !== '' && !items.some((item) => item.number === alert.ticketId) ? alert.ticketId : undefined;
  return (
    <>
      {items.map((item, at) => (
        <Fragment key={`${item.connection}/${item.number}`}>
          {at > 0 && (detailed ? <br /> : ', ')}
          {item.link ? <a className={styles.link} href={item.link} target="_blank" rel="noreferrer" onClick={(event) => event.stopPropagation()}>{item.number || item.kind}</a> : item.number}
          {detailed && ` ${[item.kind, item.state, item.connection].filter(Boolean).join(' · ')}`}
        </Fragment>
      ))}
      {written !== undefined && <>{items.length > 0 && ', '}{written}</>}
    </>
  );
}

/** The numbers as text, for sorting and searching. */
export function workItemNumbers({ workItems, ticketId }: Pick<Alert, 'workItems' | 'ticketId'>): string {
  return [...new Set([...workItems.map((item) => item.number), ticketId].filter((number) => number !== ''))].join(', ');
}
