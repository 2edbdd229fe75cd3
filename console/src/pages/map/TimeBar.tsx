// The strip of time below the map: traffic and failures over the days that are kept, and the window on them.
import { Button, makeStyles, mergeClasses, Select, Switch, Text, tokens, Tooltip } from '@fluentui/react-components';
import { ChevronLeftRegular, ChevronRightRegular } from '@fluentui/react-icons';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import { request } from '../../api/client';
import { useRows, type Row } from '../../api/logs';
import { useMay } from '../../api/permissions';
import { useWorkspace } from '../../api/session';
import { formatCompact } from '../../components/format';
import { May } from '../../components/May';
import './map.css';
import { timelineQuery } from './panels/queries';
import { moved, stepMinutes, stripRange, stripsWithin, strips, timeText, windowLengths, type Strip } from './timeWindow';
import type { ChangeView, MapView } from './viewState';

const useStyles = makeStyles({
  bar: { display: 'flex', alignItems: 'center', gap: '10px', flexWrap: 'wrap', padding: '6px 12px', border: `1px solid ${tokens.colorNeutralStroke2}`, borderRadius: tokens.borderRadiusMedium, backgroundColor: tokens.colorNeutralBackground1 },
  strip: { position: 'relative', flex: 1, minWidth: '220px', height: '44px' },
  bars: { position: 'absolute', left: '10px', right: '10px', top: 0, height: '26px' },
  svg: { width: '100%', height: '100%', display: 'block' },
  links: { fill: tokens.colorNeutralStroke1Pressed },
  failed: { fill: tokens.colorPaletteRedBackground3 },
  window: { fill: tokens.colorBrandBackground2, stroke: tokens.colorBrandStroke1, strokeWidth: 1, vectorEffect: 'non-scaling-stroke' },
  slider: { position: 'absolute', left: '2px', width: 'calc(100% - 4px)', bottom: 0, height: '16px', margin: 0 },
  time: { fontVariantNumeric: 'tabular-nums', whiteSpace: 'nowrap' },
});

const retentionDefault = 30;

/** How many days rows of connections are kept. */
function useRetentionDays(): number {
  const workspace = useWorkspace();
  const may = useMay()('Microsoft.OperationalInsights/workspaces/tables/read');
  const table = useQuery({
    queryKey: ['retention', workspace.id, 'VMConnection'],
    enabled: may,
    staleTime: 600_000,
    queryFn: ({ signal }) => request<{ properties: { totalRetentionInDays: number } }>(`/api/workspaces/${encodeURIComponent(workspace.id)}/tables/VMConnection`, { signal }),
  });
  return table.data?.properties.totalRetentionInDays ?? retentionDefault;
}

interface TimeBarProps {
  view: MapView;
  change: ChangeView;
  /** The window that is shown. */
  shown: { from: string; to: string };
}

export function TimeBar({ view, change, shown }: TimeBarProps) {
  const styles = useStyles();
  const days = useRetentionDays();
  const choices = stripsWithin(days);
  const [stripDays, setStripDays] = useState(() => (view.to !== undefined && Date.now() - Date.parse(view.to) > 86_400_000 ? 7 : 1));
  const strip = choices.find((one) => one.days === stripDays) ?? choices[0] ?? strips[0];
  const now = useMinute();
  const isLive = view.to === undefined;
  const committed = isLive ? now : Date.parse(view.to ?? '');
  const [draft, setDraft] = useState<number>();
  // The map is read when the slider rests.
  useEffect(() => {
    if (draft === undefined) return;
    const timer = setTimeout(() => {
      setDraft(undefined);
      change({ to: new Date(draft).toISOString() });
    }, 350);
    return () => clearTimeout(timer);
  }, [draft, change]);
  if (!strip) return null;
  const range = stripRange(strip, now);
  const to = draft ?? committed;
  const step = stepMinutes(strip);
  const index = Math.round((to - range.from) / (step * 60_000));
  const move = (by: number) => change({ to: new Date(moved(to, by, strip, now)).toISOString() });
  const shownFrom = draft === undefined ? Date.parse(shown.from) : draft - view.minutes * 60_000;
  const shownTo = draft ?? Date.parse(shown.to);
  return (
    <div className={styles.bar} role="group" aria-label="Time">
      <Switch label="Live" checked={isLive} onChange={(_event, data) => change({ to: data.checked ? undefined : new Date(now).toISOString() })} />
      <Select size="small" aria-label="Length of the window" value={String(view.minutes)} onChange={(_event, data) => change({ minutes: Number(data.value) })}>
        {windowLengths.map((one) => <option key={one.minutes} value={one.minutes}>{one.label}</option>)}
      </Select>
      <Tooltip content="Earlier" relationship="label"><Button size="small" appearance="subtle" icon={<ChevronLeftRegular />} onClick={() => move(-view.minutes)} /></Tooltip>
      <Text size={200} className={styles.time} data-testid="map-window">{timeText(shownFrom)} – {timeText(shownTo)}</Text>
      <Tooltip content="Later" relationship="label"><Button size="small" appearance="subtle" icon={<ChevronRightRegular />} disabledFocusable={isLive} onClick={() => move(view.minutes)} /></Tooltip>
      <div className={styles.strip}>
        <May needs='Microsoft.OperationalInsights/workspaces/query/read'><Histogram strip={strip} range={range} window={{ from: to - view.minutes * 60_000, to }} /></May>
        <input
          type="range" className={mergeClasses(styles.slider, 'map-slider')} aria-label="End of the window" aria-valuetext={timeText(to)} min={0} max={Math.round((range.to - range.from) / (step * 60_000))} value={index}
          onChange={(event) => setDraft(range.from + Number(event.target.value) * step * 60_000)}
        />
      </div>
      <Select size="small" aria-label="Time on the strip" value={String(strip.days)} onChange={(_event, data) => setStripDays(Number(data.value))}>
        {choices.map((one) => <option key={one.days} value={one.days}>{one.label}</option>)}
      </Select>
    </div>
  );
}

/** The time, a minute at a time. */
function useMinute(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  return Math.floor(now / 60_000) * 60_000;
}

interface Range {
  from: number;
  to: number;
}

function Histogram({ strip, range, window }: { strip: Strip; range: Range; window: Range }) {
  const styles = useStyles();
  const rows = useRows('map-timeline', timelineQuery(strip.binMinutes), `P${strip.days}D`, Math.max(60, strip.binMinutes * 20));
  const bars = useMemo(() => barsOf(rows.data ?? [], range, strip), [rows.data, range.from, range.to, strip]); // eslint-disable-line react-hooks/exhaustive-deps
  const most = Math.max(1, ...bars.map((bar) => bar.links));
  const length = range.to - range.from;
  const at = (time: number) => ((time - range.from) / length) * 1000;
  const width = Math.max(1, ((strip.binMinutes * 60_000) / length) * 1000 - 1);
  const failed = bars.reduce((sum, bar) => sum + bar.failed, 0);
  const total = bars.reduce((sum, bar) => sum + bar.links, 0);
  return (
    <div className={styles.bars}>
      <svg className={styles.svg} viewBox="0 0 1000 26" preserveAspectRatio="none" role="img" aria-label={`${strip.label}: ${formatCompact(total)} connections, ${formatCompact(failed)} failed`}>
        {bars.map((bar) => {
          // The root keeps quiet hours visible beside busy ones.
          const height = bar.links === 0 ? 0 : 2 + 22 * Math.sqrt(bar.links / most);
          const red = bar.failed === 0 ? 0 : Math.max(2.5, height * (bar.failed / Math.max(1, bar.links)));
          return (
            <g key={bar.time}>
              <rect className={styles.links} x={at(bar.time)} y={26 - height} width={width} height={height} />
              {red > 0 && <rect className={styles.failed} x={at(bar.time)} y={26 - Math.min(26, red)} width={width} height={Math.min(26, red)} />}
            </g>
          );
        })}
        <rect className={styles.window} x={at(window.from)} y={0.5} width={Math.max(3, at(window.to) - at(window.from))} height={25} fillOpacity={0.45} />
      </svg>
    </div>
  );
}

function barsOf(rows: readonly Row[], range: Range, strip: Strip): { time: number; links: number; failed: number }[] {
  return rows.map((row) => ({ time: Date.parse(String(row['TimeGenerated'])), links: Number(row['Links'] ?? 0), failed: Number(row['Failed'] ?? 0) }))
    .filter((bar) => bar.time + strip.binMinutes * 60_000 > range.from && bar.time <= range.to);
}
