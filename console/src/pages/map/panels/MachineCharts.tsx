// How busy a machine was in the window: from performance counters and metrics, whichever its agent sends.
import { machineCharts } from '../../machines/queries';
import { SmallChart } from './SmallChart';

export function MachineCharts({ names, window }: { names: readonly string[]; window: { from: string; to: string } }) {
  const [name] = names;
  if (name === undefined) return null;
  return <>{machineCharts.map((chart) => <SmallChart key={chart.title} title={chart.title} query={chart.query(name)} window={window} />)}</>;
}
