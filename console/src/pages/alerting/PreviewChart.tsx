// The values of a preview with the threshold, over time.
import type { Preview } from '../../api/alerting';
import type { Table } from '../../api/logs';
import Chart from '../../components/Chart';

export default function PreviewChart({ preview, threshold }: { preview: Preview; threshold: number }) {
  const name = (dimensions: { value: string }[]) => dimensions.map((one) => one.value).join(' · ') || 'value';
  const rows = preview.series.flatMap((one) => one.values.map(([at, value]) => [at, name(one.dimensions), value]));
  const ends = [...new Set(preview.series.flatMap((one) => one.values.map(([at]) => at)))];
  const table: Table = {
    name: 'Preview',
    columns: [{ name: 'Time', type: 'datetime' }, { name: 'Series', type: 'string' }, { name: 'Value', type: 'real' }],
    rows: [...rows, ...ends.map((at) => [at, 'threshold', threshold])],
  };
  return <Chart table={table} render={{ visualization: 'timechart' }} kind="timechart" label="Values over the last 7 days and the threshold" />;
}
