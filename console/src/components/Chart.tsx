// Draws a result table as a chart.
import { makeStyles } from '@fluentui/react-components';
import { BarChart, LineChart, PieChart, ScatterChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent, TooltipComponent } from 'echarts/components';
import { init, use as register, type ECharts } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { useEffect, useMemo, useRef } from 'react';
import type { Render, Table } from '../api/logs';
import { useTheme } from '../shell/theme';
import { chartOption, type ChartColours, type ChartKind } from './chartOption';
import { EmptyState } from './States';

register([BarChart, LineChart, PieChart, ScatterChart, GridComponent, LegendComponent, TitleComponent, TooltipComponent, CanvasRenderer]);

const useStyles = makeStyles({ chart: { width: '100%', height: '100%', minHeight: '140px' } });

const lightColours: ChartColours = { text: '#424242', line: '#e0e0e0', series: ['#0f6cbd', '#e3008c', '#13a10e', '#ca5010', '#8764b8', '#038387', '#c19c00', '#d13438', '#4f6bed', '#7a7574'] };
const darkColours: ChartColours = { text: '#d6d6d6', line: '#4a4a4a', series: ['#479ef5', '#ee5fb7', '#54b054', '#faa06b', '#a992d3', '#3bb0b5', '#f2c661', '#dc626d', '#7385f0', '#b3b0ad'] };

interface ChartProps {
  table: Table;
  render: Render;
  kind: ChartKind;
  label: string;
  /** Milliseconds up to now that the time axis shows; otherwise it shows where there is data. */
  span?: number;
  /** Called with the place on the x axis, milliseconds on a time axis, that was clicked. */
  onPick?: (x: number) => void;
}

export default function Chart({ table, render, kind, label, span, onPick }: ChartProps) {
  const styles = useStyles();
  const { dark } = useTheme();
  const host = useRef<HTMLDivElement>(null);
  const pick = useRef(onPick);
  useEffect(() => { pick.current = onPick; }, [onPick]);
  const option = useMemo(
    () => chartOption(table, render, kind, dark ? darkColours : lightColours, span === undefined ? undefined : { from: Date.now() - span, to: Date.now() }),
    [table, render, kind, dark, span],
  );
  useEffect(() => {
    if (!host.current || !option) return;
    const chart: ECharts = init(host.current);
    chart.setOption(option);
    chart.getZr().on('click', ({ offsetX, offsetY }) => {
      if (!pick.current || !chart.containPixel({ gridIndex: 0 }, [offsetX, offsetY])) return;
      const [x] = chart.convertFromPixel({ gridIndex: 0 }, [offsetX, offsetY]);
      if (x !== undefined) pick.current(x);
    });
    const observer = new ResizeObserver(() => chart.resize());
    observer.observe(host.current);
    return () => {
      observer.disconnect();
      chart.dispose();
    };
  }, [option]);
  if (!option) {
    return <EmptyState title="Nothing to draw" hint="A chart needs a column for its x axis and at least one column of numbers. End the query with summarize, then render." />;
  }
  return <div ref={host} className={styles.chart} role="img" aria-label={label} data-testid="chart" data-kind={kind} />;
}
