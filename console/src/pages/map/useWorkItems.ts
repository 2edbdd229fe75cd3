// The map with the open work items that service desks have of its machines.
import { useMemo } from 'react';
import type { Alert } from '../../api/alerts';
import { useGroup } from '../../api/management';
import type { MapData } from '../../api/map';
import { workItemCounts } from '../itsm/computers';
import { useOpenItems } from '../itsm/openItems';

const noAlerts: readonly Alert[] = [];

/** The same data where there is nothing to add: what is drawn is made again only when a number changes. */
export function useWithWorkItems(data: MapData | undefined): MapData | undefined {
  const { items } = useOpenItems();
  // tickets that alerts name are in the map's numbers already: they are only asked for to count none twice
  const hasBoth = items.length > 0 && (data?.machines.some((machine) => (machine.workItems ?? 0) > 0) ?? false);
  const alerts = useGroup<Alert[]>(hasBoth ? '/api/alerts?state=open' : undefined, 30);
  const tickets = hasBoth ? (alerts.data ?? noAlerts) : noAlerts;
  return useMemo(() => {
    if (!data || items.length === 0) return data;
    const counts = workItemCounts(data.machines, items, tickets);
    return { ...data, machines: data.machines.map((machine) => ({ ...machine, workItems: counts.get(machine.id) ?? 0 })) };
  }, [data, items, tickets]);
}
