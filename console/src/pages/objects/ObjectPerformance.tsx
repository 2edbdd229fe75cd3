// Counters of the computer that an object is on; of all computers of a group.
import type { ManagedObject } from '../../api/management';
import PerformanceView from '../performance/PerformanceView';

export default function ObjectPerformance({ object }: { object: ManagedObject }) {
  return <PerformanceView of={object.id} instance={object.name} />;
}
