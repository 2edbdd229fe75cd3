// The page below its head: controls, the drawing or the lists, the strip of time, the panel of what is selected.
import { Button, makeStyles, mergeClasses, MessageBar, MessageBarBody, MessageBarTitle } from '@fluentui/react-components';
import { OrganizationRegular } from '@fluentui/react-icons';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { MapData } from '../../api/map';
import { Split } from '../../components/Page';
import { EmptyState, LoadingState } from '../../components/States';
import { useTheme } from '../../shell/theme';
import { describe } from './describe';
import { pngOf, save, svgOf } from './draw/export';
import { geometryOf, type Hit } from './draw/geometry';
import { darkPalette, lightPalette } from './draw/palette';
import { useLayout } from './layout/useLayout';
import { Legend } from './Legend';
import { MapCanvas, type MapCanvasHandle } from './MapCanvas';
import { MapList } from './MapList';
import { MapToolbar } from './MapToolbar';
import { SelectionPanel } from './panels/SelectionPanel';
import { usePins } from './pins';
import { TimeBar } from './TimeBar';
import { timeText } from './timeWindow';
import { useMapModel } from './useMapModel';
import type { ChangeView, MapView } from './viewState';
import { ZoomButtons } from './ZoomButtons';

const useStyles = makeStyles({
  body: { height: '100%', display: 'flex', flexDirection: 'column', minHeight: '320px' },
  main: { position: 'relative', flex: 1, minHeight: 0, overflow: 'auto' },
  stale: { opacity: 0.65 },
  legend: { position: 'absolute', left: '12px', bottom: '12px', zIndex: 1 },
});

interface MapContentProps {
  data: MapData;
  /** The answer is of another window: the one that was asked for is under way. */
  isStale: boolean;
  view: MapView;
  change: ChangeView;
}

export function MapContent({ data, isStale, view, change }: MapContentProps) {
  const styles = useStyles();
  const { dark } = useTheme();
  const model = useMapModel(data, view);
  const { world, picture, matches } = model;
  const pins = usePins(view.focus === undefined ? 'workspace' : `focus.${model.focus ?? view.focus}`);
  const { placed, error } = useLayout(view.mode === 'map' && !pins.isPending ? picture : undefined, pins.pins);
  const canvas = useRef<MapCanvasHandle>(null);
  const [saveError, setSaveError] = useState<string>();
  const revealing = useRef<string>();
  const fitting = useRef(false);
  const seconds = Math.max(1, (Date.parse(data.window.to) - Date.parse(data.window.from)) / 1000);

  // What is selected elsewhere is brought into sight, once it has its place.
  const { uncover } = model;
  const onShow = useCallback((id: string) => {
    uncover(id);
    revealing.current = id;
    change({ selected: id });
  }, [uncover, change]);
  useEffect(() => {
    if (fitting.current && placed) canvas.current?.fit();
    fitting.current = false;
    if (revealing.current === undefined || !placed) return;
    canvas.current?.reveal(revealing.current);
    revealing.current = undefined;
  }, [placed, view.selected]);
  const onSelect = useCallback((id: string | undefined) => change({ selected: id }), [change]);
  const onFocus = useCallback((id: string) => change({ focus: id, upstream: 1, downstream: 1, selected: id }), [change]);

  const match = useRef(0);
  const onNextMatch = () => {
    // clients or servers without an agent are shown by the box that they share
    const boxOf = (id: string) => picture.boxes.find((box) => (box.kind === 'clients' || box.kind === 'servers') && box.members.includes(id))?.id;
    const found = [...new Set([...(matches ?? [])].flatMap((id) => (world.machines.has(id) || world.processes.has(id) ? id : boxOf(id) ?? [])))];
    const next = found[match.current % Math.max(1, found.length)];
    match.current += 1;
    if (next !== undefined) onShow(next);
  };
  const onSave = async (kind: 'png' | 'svg') => {
    if (!placed) return;
    const geometry = geometryOf(placed.picture, placed.layout);
    const look = { palette: dark ? darkPalette : lightPalette, matches, pinned: new Set<string>(), seconds };
    const name = `map-${data.window.to.slice(0, 16).replace(/[:T]/g, '-')}`;
    setSaveError(undefined);
    try {
      if (kind === 'svg') save(new Blob([svgOf(geometry, look, `Map, ${timeText(Date.parse(data.window.from))} – ${timeText(Date.parse(data.window.to))}`)], { type: 'image/svg+xml' }), `${name}.svg`);
      else save(await pngOf(geometry, look), `${name}.png`);
    } catch (problem) {
      setSaveError(problem instanceof Error ? problem.message : String(problem));
    }
  };
  const describeHit = useCallback((hit: Hit) => describe(world, picture, hit), [world, picture]);
  const isLost = view.focus !== undefined && model.focus === undefined;
  const label = `Map of ${picture.boxes.length} boxes and ${picture.links.length} lines`;
  const fitKey = useMemo(() => [view.focus, view.upstream, view.downstream, model.grouping.by, view.onlyMatches && view.text, view.onlyFailed, view.onlyProblems, view.onlyConnected].join('|'), [view, model.grouping.by]);
  return (
    <>
      <MapToolbar
        view={view} change={change} focusName={model.focusName} groups={data.machineGroups ?? []} found={matches && [...matches].filter((id) => !world.machines.has(id) || !hasFoundProcess(matches, id, model)).length} onNextMatch={onNextMatch}
        pins={pins}
        canOpen={view.mode === 'map' && picture.boxes.length > 0} onOpenAll={() => { fitting.current = true; model.openAll(); }} onCloseAll={() => { fitting.current = true; model.closeAll(); }} onSave={(kind) => void onSave(kind)}
      />
      {pins.error != null && <MessageBar intent="error"><MessageBarBody><MessageBarTitle>Pins are not kept</MessageBarTitle>{pins.error instanceof Error ? pins.error.message : String(pins.error)}</MessageBarBody></MessageBar>}
      {(error ?? saveError) && <MessageBar intent="error"><MessageBarBody><MessageBarTitle>{error ? 'The layout failed' : 'The picture was not saved'}</MessageBarTitle>{error ?? saveError}</MessageBarBody></MessageBar>}
      <Split
        label="Selected on the map"
        side={view.selected !== undefined && <SelectionPanel id={view.selected} world={world} picture={picture} window={data.window} onSelect={onShow} onFocus={onFocus} onClose={() => change({ selected: undefined })} />}
      >
        <div className={styles.body}>
          <div className={mergeClasses(styles.main, isStale && styles.stale)} aria-busy={isStale}>
            {data.machines.length === 0 || isLost || picture.boxes.length === 0 ? (
              <Nothing data={data} view={view} change={change} isLost={isLost} />
            ) : view.mode === 'list' ? (
              <MapList world={world} shown={model.shown} matches={matches} selected={view.selected} onSelect={(id) => change({ selected: id })} />
            ) : placed ? (
              <>
                <MapCanvas
                  ref={canvas} placed={placed} label={label} selected={view.selected} matches={matches} pins={pins.pins} seconds={seconds} fitKey={fitKey}
                  describe={describeHit} onSelect={onSelect} onToggle={model.toggle} onFocus={onFocus} onPin={pins.pin} onUnpin={pins.unpin}
                />
                <div className={styles.legend}><Legend /></div>
                <ZoomButtons canvas={canvas} />
              </>
            ) : <LoadingState label="Arranging the map" />}
          </div>
        </div>
      </Split>
      <TimeBar view={view} change={change} shown={data.window} />
    </>
  );
}

/** A machine that was found through one of its processes is not counted beside it. */
function hasFoundProcess(matches: ReadonlySet<string>, machine: string, { world }: { world: ReturnType<typeof useMapModel>['world'] }): boolean {
  return (world.processesOf.get(machine) ?? []).some((process) => matches.has(process.id));
}

function Nothing({ data, view, change, isLost }: { data: MapData; view: MapView; change: ChangeView; isLost: boolean }) {
  const isPast = view.to !== undefined;
  if (data.machines.length === 0) {
    return (
      <EmptyState
        icon={<OrganizationRegular />} title={isPast ? 'Nothing is known of this time' : 'No connections yet'}
        hint={isPast ? 'No machine sent connections in this window. Move it on the strip below: the bars show when there were some.' : 'Install watchkeeper-agent on a machine and enrol it with this server. Its processes and whom they talk to appear here within a minute or two.'}
        action={isPast && <Button onClick={() => change({ to: undefined })}>Show now</Button>}
      />
    );
  }
  if (isLost) {
    return (
      <EmptyState
        icon={<OrganizationRegular />} title={`“${view.focus ?? ''}” is not on the map of this window`} hint="It sent no connections then, or it goes by another name. Choose another time, or show the whole workspace."
        action={<Button onClick={() => change({ focus: undefined })}>Show the whole workspace</Button>}
      />
    );
  }
  return (
    <EmptyState
      icon={<OrganizationRegular />} title="The filters leave nothing" hint="No machine of this window fits them."
      action={<Button onClick={() => change({ onlyMatches: false, onlyFailed: false, onlyProblems: false, onlyConnected: false })}>Remove the filters</Button>}
    />
  );
}
