// Open work items of machines, as the service desks have them: rows of ServiceDesk_CL of connections that there are.
import { useMemo } from 'react';
import { itsmPath, type ItsmConnection, type WorkItemType } from '../../api/itsm';
import { useRows, type Row } from '../../api/logs';
import { useGroup } from '../../api/management';
import { useMay } from '../../api/permissions';
import { workItemLink } from './connections/products';
import { openItemsQuery, openSpan } from './queries';

export interface OpenItem {
  id: string;
  type: WorkItemType;
  title: string;
  state: string;
  priority: string;
  assignedTo: string;
  computer: string;
  connection: string;
  changed: string;
  /** Where a person reads it in the product. */
  link: string | undefined;
}

function itemOf(row: Row, connections: readonly ItsmConnection[]): OpenItem {
  const text = (column: string) => String(row[column] ?? '');
  const type: WorkItemType = text('Type') === 'ChangeRequest' ? 'ChangeRequest' : 'Incident';
  const connection = connections.find((one) => one.name === text('Connection'));
  return {
    id: text('Id'), type, title: text('Title'), state: text('State'), priority: text('Priority'), assignedTo: text('AssignedTo'),
    computer: text('Computer'), connection: text('Connection'), changed: text('Changed'), link: workItemLink(connection, type, text('Id')),
  };
}

const none: readonly OpenItem[] = [];

/** Open work items about one computer, by its names; none are asked for where no desk is connected. */
export function useOpenItems(names: readonly string[]) {
  const may = useMay()('Watchkeeper/managementGroups/itsmConnections/read');
  const connections = useGroup<ItsmConnection[]>(may ? itsmPath : undefined, 60);
  const known = connections.data;
  const query = known && known.length > 0 ? openItemsQuery(known.map((one) => one.name).sort(), names) : undefined;
  const rows = useRows('open work items', query, openSpan, 30);
  const items = useMemo(() => (known && rows.data ? rows.data.map((row) => itemOf(row, known)) : none), [known, rows.data]);
  return {
    items,
    /** Who may not see connections sees no work items. */
    isPending: (may && connections.isPending) || (query !== undefined && rows.isPending),
    error: rows.error,
    refetch: rows.refetch,
    query,
    hasConnections: known !== undefined && known.length > 0,
  };
}
