// The drawn map: pointer, wheel and keyboard move it; boxes are selected, opened, dragged and pinned.
import { makeStyles, tokens } from '@fluentui/react-components';
import { forwardRef, useCallback, useEffect, useImperativeHandle, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent } from 'react';
import { useTheme } from '../../shell/theme';
import { fit, revealing, toPicture, viewOfCamera, zoomed, type Camera } from './draw/camera';
import { CanvasSurface } from './draw/canvasSurface';
import { emphasisOf } from './draw/emphasis';
import { geometryOf, hitAt, neighbourBox, type Hit } from './draw/geometry';
import { paint, type Look } from './draw/paint';
import { darkPalette, lightPalette } from './draw/palette';
import type { Placed } from './layout/useLayout';
import type { Point } from './layout/types';
import type { Pins } from './pins';
import { useFlow } from './useFlow';
import { useGlide } from './useGlide';
import { prepared, useSize } from './useSurface';

const useStyles = makeStyles({
  host: { position: 'absolute', inset: 0, overflow: 'hidden', touchAction: 'none', userSelect: 'none', ':focus-visible': { outline: `2px solid ${tokens.colorStrokeFocus2}`, outlineOffset: '-3px' } },
  layer: { position: 'absolute', inset: 0, width: '100%', height: '100%', pointerEvents: 'none' },
  hidden: { position: 'absolute', width: '1px', height: '1px', overflow: 'hidden', clipPath: 'inset(50%)' },
  tip: { position: 'absolute', pointerEvents: 'none', padding: '6px 10px', borderRadius: tokens.borderRadiusMedium, backgroundColor: tokens.colorNeutralBackground1, color: tokens.colorNeutralForeground1, boxShadow: tokens.shadow16, fontSize: '12px', maxWidth: '320px', whiteSpace: 'pre-line', zIndex: 2 },
});

export interface MapCanvasHandle {
  zoom: (factor: number) => void;
  fit: () => void;
  reveal: (id: string) => void;
}

interface MapCanvasProps {
  placed: Placed;
  label: string;
  /** How it is used by keyboard, where that is not as on the map. */
  keys?: string;
  selected: string | undefined;
  matches: ReadonlySet<string> | undefined;
  pins: Pins;
  /** Seconds of the window. */
  seconds: number;
  /** Another value shows the whole picture again. */
  fitKey: string;
  /** What a thing is, in words: for the pointer and for screen readers. */
  describe: (hit: Hit) => string;
  onSelect: (id: string | undefined) => void;
  onToggle: (box: string) => void;
  onFocus: (id: string) => void;
  onPin: (box: string, place: Point) => void;
  onUnpin: (box: string) => void;
}

interface Drag {
  start: Point;
  camera: Camera;
  box: { id: string; place: Point } | undefined;
  hasMoved: boolean;
}

const mapKeys = 'Arrow keys go from box to box, Enter opens or closes one, F shows only what it depends on and what depends on it, P pins it, plus and minus zoom, 0 shows everything, Escape clears the selection. The list has the same machines and connections as tables.';

/** A click may tremble by so many pixels. */
const tremble = 4;

export const MapCanvas = forwardRef<MapCanvasHandle, MapCanvasProps>(function MapCanvas(props, handle) {
  const { placed, label, keys = mapKeys, selected, matches, pins, seconds, fitKey, describe, onSelect, onToggle, onFocus, onPin, onUnpin } = props;
  const styles = useStyles();
  const { dark } = useTheme();
  const palette = dark ? darkPalette : lightPalette;
  const host = useRef<HTMLDivElement>(null);
  const base = useRef<HTMLCanvasElement>(null);
  const flow = useRef<HTMLCanvasElement>(null);
  const size = useSize(host);
  const [camera, setCamera] = useState<Camera>();
  const [hover, setHover] = useState<{ hit: Hit; at: Point }>();
  const [dragged, setDragged] = useState<{ id: string; place: Point }>();
  const drag = useRef<Drag>();
  const touches = useRef(new Map<number, Point>());
  const fitted = useRef<string>();
  const anchor = useRef<{ box: string; at: Point }>();

  const glided = useGlide(placed, dragged);
  const geometry = useMemo(() => geometryOf(glided.picture, glided.layout), [glided]);
  const final = useMemo(() => geometryOf(placed.picture, placed.layout), [placed]);
  const hovered = hover && (hover.hit.kind === 'link' ? hover.hit.link.id : (hover.hit.row ?? hover.hit.box.id));
  const strong = useMemo(() => emphasisOf(geometry, selected ?? hovered), [geometry, selected, hovered]);
  const pinned = useMemo(() => new Set(Object.keys(pins)), [pins]);

  // The whole picture at first, and after a change of what is shown; otherwise what was opened stays where it was.
  useEffect(() => {
    if (size.width === 0 || placed.picture.boxes.length === 0) return;
    if (fitted.current !== fitKey) {
      fitted.current = fitKey;
      anchor.current = undefined;
      setCamera(fit(final.bounds, size));
      return;
    }
    const kept = anchor.current;
    const rect = kept && final.rects[kept.box];
    anchor.current = undefined;
    if (kept && rect) setCamera((was) => was && { ...was, x: rect.x - kept.at.x / was.scale, y: rect.y - kept.at.y / was.scale });
  }, [final, placed, fitKey, size]);

  const toggle = useCallback((box: string) => {
    const rect = final.rects[box];
    if (rect && camera) anchor.current = { box, at: { x: (rect.x - camera.x) * camera.scale, y: (rect.y - camera.y) * camera.scale } };
    onToggle(box);
  }, [final, camera, onToggle]);

  useImperativeHandle(handle, () => ({
    zoom: (factor) => setCamera((was) => was && zoomed(was, factor, { x: size.width / 2, y: size.height / 2 })),
    fit: () => setCamera(fit(final.bounds, size)),
    reveal: (id) => {
      const rect = final.rects[id] ?? final.rects[final.picture.boxes.find((box) => box.rows.some((row) => row.id === id))?.id ?? ''];
      if (rect) setCamera((was) => was && revealing(was.scale < 0.5 ? zoomed(was, 0.75 / was.scale, { x: 0, y: 0 }) : was, rect, size));
    },
  }), [final, size]);

  useEffect(() => {
    if (!base.current || !camera || size.width === 0) return;
    const context = prepared(base.current, size);
    if (!context) return;
    const began = performance.now();
    context.fillStyle = palette.background;
    context.fillRect(0, 0, size.width, size.height);
    context.scale(camera.scale, camera.scale);
    context.translate(-camera.x, -camera.y);
    const look: Look = { palette, scale: camera.scale, view: viewOfCamera(camera, size), strong, selected, matches, pinned, seconds };
    paint(new CanvasSurface(context), geometry, look);
    // For tests, for dev/mapBench.mjs, and for whoever wonders why a map is slow.
    base.current.dataset['painted'] = (performance.now() - began).toFixed(1);
    base.current.dataset['layout'] = placed.milliseconds.toFixed(1);
    base.current.dataset['boxes'] = String(geometry.picture.boxes.length);
    base.current.dataset['open'] = String(geometry.picture.boxes.filter((box) => box.open).length);
    base.current.dataset['links'] = String(geometry.curves.length);
  }, [geometry, camera, size, palette, strong, selected, matches, pinned, seconds, placed]);

  useFlow(flow, geometry, strong, camera, size, palette);

  const pointOf = (event: { clientX: number; clientY: number }): Point => {
    const frame = host.current?.getBoundingClientRect();
    return { x: event.clientX - (frame?.left ?? 0), y: event.clientY - (frame?.top ?? 0) };
  };
  const hitOf = (at: Point) => (camera ? hitAt(geometry, toPicture(camera, at), 6 / camera.scale) : undefined);

  // React listens to wheels passively, and a page that scrolls under the map is in the way.
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const frame = element.getBoundingClientRect();
      const at = { x: event.clientX - frame.left, y: event.clientY - frame.top };
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
      setHover(undefined);
      setCamera((was) => {
        if (!was) return was;
        if (event.shiftKey) return { ...was, x: was.x + ((event.deltaX || event.deltaY) * lines) / was.scale };
        return zoomed(was, Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0016)), at);
      });
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => element.removeEventListener('wheel', wheel);
  }, []);

  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0 || !camera) return;
    const at = pointOf(event);
    touches.current.set(event.pointerId, at);
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    const hit = hitOf(at);
    const rect = hit?.kind === 'box' && hit.box.parent === undefined ? geometry.rects[hit.box.id] : undefined;
    drag.current = { start: at, camera, box: hit?.kind === 'box' && rect ? { id: hit.box.id, place: { x: rect.x, y: rect.y } } : undefined, hasMoved: false };
  };
  const onPointerMove = (event: PointerEvent) => {
    const at = pointOf(event);
    const was = touches.current.get(event.pointerId);
    if (was && touches.current.size === 2) {
      const other = [...touches.current].find(([id]) => id !== event.pointerId)?.[1] ?? at;
      const factor = Math.hypot(at.x - other.x, at.y - other.y) / Math.max(1, Math.hypot(was.x - other.x, was.y - other.y));
      setCamera((now) => now && zoomed(now, factor, other));
      touches.current.set(event.pointerId, at);
      if (drag.current) drag.current.hasMoved = true;
      return;
    }
    if (was) touches.current.set(event.pointerId, at);
    const current = drag.current;
    if (!current) {
      const hit = hitOf(at);
      setHover(hit && { hit, at });
      return;
    }
    const [dx, dy] = [at.x - current.start.x, at.y - current.start.y];
    if (!current.hasMoved && Math.hypot(dx, dy) < tremble) return;
    current.hasMoved = true;
    setHover(undefined);
    const { scale } = current.camera;
    if (current.box) setDragged({ id: current.box.id, place: { x: current.box.place.x + dx / scale, y: current.box.place.y + dy / scale } });
    else setCamera({ scale, x: current.camera.x - dx / scale, y: current.camera.y - dy / scale });
  };
  const onPointerUp = (event: PointerEvent) => {
    touches.current.delete(event.pointerId);
    const current = drag.current;
    drag.current = undefined;
    if (!current) return;
    if (current.hasMoved) {
      if (dragged) onPin(dragged.id, dragged.place);
      setDragged(undefined);
      return;
    }
    const hit = hitOf(pointOf(event));
    if (!hit) onSelect(undefined);
    else if (hit.kind === 'link') onSelect(hit.link.id);
    else if (hit.isToggle) toggle(hit.box.id);
    else onSelect(hit.row ?? hit.box.id);
  };

  const boxOfSelected = selected === undefined ? undefined : final.picture.boxes.find((box) => box.id === selected || box.rows.some((row) => row.id === selected));
  const onKeyDown = (event: KeyboardEvent) => {
    const direction = ({ ArrowLeft: 'left', ArrowRight: 'right', ArrowUp: 'up', ArrowDown: 'down' } as const)[event.key];
    const middle = { x: size.width / 2, y: size.height / 2 };
    let isKnown = true;
    if (direction && event.shiftKey) {
      const step = { left: [-80, 0], right: [80, 0], up: [0, -80], down: [0, 80] }[direction];
      setCamera((was) => was && { ...was, x: was.x + (step[0] ?? 0) / was.scale, y: was.y + (step[1] ?? 0) / was.scale });
    } else if (direction) {
      select(nextOf(direction));
    } else if (event.key === '+' || event.key === '=') setCamera((was) => was && zoomed(was, 1.25, middle));
    else if (event.key === '-') setCamera((was) => was && zoomed(was, 0.8, middle));
    else if (event.key === '0') setCamera(fit(final.bounds, size));
    else if (event.key === 'Escape') onSelect(undefined);
    else if (event.key === 'Enter' && boxOfSelected?.canOpen) toggle(boxOfSelected.id);
    else if (event.key.toLowerCase() === 'f' && selected !== undefined && boxOfSelected) onFocus(selected);
    else if (event.key.toLowerCase() === 'p' && boxOfSelected && boxOfSelected.parent === undefined) {
      const rect = final.rects[boxOfSelected.id];
      if (pins[boxOfSelected.id]) onUnpin(boxOfSelected.id);
      else if (rect) onPin(boxOfSelected.id, rect);
    } else isKnown = false;
    if (isKnown) event.preventDefault();
  };
  /** The next thing in a direction: rows of an opened box first, then the next box. */
  const nextOf = (direction: 'left' | 'right' | 'up' | 'down'): string | undefined => {
    if (!boxOfSelected) return final.picture.boxes.find((box) => box.kind === 'machine' || (box.kind === 'group' && !box.open))?.id ?? final.picture.boxes[0]?.id;
    const { rows } = boxOfSelected;
    const at = rows.findIndex((row) => row.id === selected);
    if (direction === 'down' && at + 1 < rows.length) return rows[at + 1]?.id;
    if (direction === 'up' && at >= 0) return rows[at - 1]?.id ?? boxOfSelected.id;
    return neighbourBox(final, boxOfSelected.id, direction) ?? selected;
  };
  const select = (id: string | undefined) => {
    if (id === undefined) return;
    onSelect(id);
    const rect = final.rects[id];
    if (rect) setCamera((was) => was && revealing(was, rect, size));
  };

  const spoken = boxOfSelected ? describe({ kind: 'box', box: boxOfSelected, row: boxOfSelected.rows.find((row) => row.id === selected)?.id, isToggle: false }) : '';
  const isClickable = hover !== undefined;
  return (
    <>
      {/* A picture to walk through with the arrow keys; the list shows the same to those who cannot see it. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <div
        ref={host} className={styles.host} role="application" aria-label={label} aria-describedby="map-keys" data-testid="map"
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        style={{ cursor: dragged ? 'grabbing' : isClickable ? 'pointer' : 'grab' }}
        onPointerDown={onPointerDown} onPointerMove={onPointerMove} onPointerUp={onPointerUp}
        onPointerCancel={(event) => { touches.current.delete(event.pointerId); drag.current = undefined; setDragged(undefined); }}
        onPointerLeave={() => setHover(undefined)}
        onDoubleClick={(event) => {
          const hit = hitOf(pointOf(event));
          if (hit?.kind === 'box' && hit.box.canOpen && !hit.isToggle) toggle(hit.box.id);
          else if (!hit) setCamera((was) => was && zoomed(was, 1.6, pointOf(event)));
        }}
        onKeyDown={onKeyDown}
      >
        <canvas ref={base} className={styles.layer} aria-hidden />
        <canvas ref={flow} className={styles.layer} aria-hidden />
        {hover && !drag.current && (
          <div className={styles.tip} aria-hidden style={{ left: Math.min(hover.at.x + 14, Math.max(0, size.width - 320)), ...(hover.at.y > size.height - 120 ? { bottom: size.height - hover.at.y + 12 } : { top: hover.at.y + 16 }) }}>
            {describe(hover.hit)}
          </div>
        )}
      </div>
      <span className={styles.hidden} id="map-keys">{keys}</span>
      <span className={styles.hidden} role="status">{spoken}</span>
    </>
  );
});
