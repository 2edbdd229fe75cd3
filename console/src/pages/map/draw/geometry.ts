// Where lines run and what lies under a point: plain geometry on a placed picture.
import { sizes, type Box, type End, type Link, type Picture } from '../graph/picture';
import { push } from '../graph/world';
import type { LayoutResult, Point, Rect } from '../layout/types';

export interface Segment {
  control1: Point;
  control2: Point;
  end: Point;
}

export interface Curve {
  link: Link;
  start: Point;
  segments: Segment[];
  /** The last bit's direction, for the arrow. */
  arrow: { at: Point; angle: number };
  bounds: Rect;
  /** Points along the line, for finding it under the pointer. */
  samples: Point[];
}

export interface Geometry {
  picture: Picture;
  rects: Record<string, Rect>;
  boxes: Map<string, Box>;
  curves: Curve[];
  bounds: Rect;
}

type Side = 'left' | 'right';

/** What an arrow takes before the box. */
export const arrowLength = 7;

export function geometryOf(picture: Picture, layout: LayoutResult): Geometry {
  const boxes = new Map(picture.boxes.map((box) => [box.id, box]));
  const ends = picture.links.map((link, index) => {
    const source = endRect(boxes, layout.rects, link.source);
    const target = endRect(boxes, layout.rects, link.target);
    if (!source || !target) return undefined;
    const [from, to] = sides(source, target);
    return { link, index, source, target, from, to };
  });
  // Lines that meet at one side of a box are spread over it in the order of where they come from.
  const meeting = new Map<string, { key: string; other: number; room: Rect }[]>();
  ends.forEach((end) => {
    if (!end) return;
    push(meeting, `${endKey(end.link.source)} ${end.from}`, { key: `${end.index} source`, other: middle(end.target).y, room: end.source });
    push(meeting, `${endKey(end.link.target)} ${end.to}`, { key: `${end.index} target`, other: middle(end.source).y, room: end.target });
  });
  const heights = new Map<string, number>();
  for (const list of meeting.values()) {
    list.sort((a, b) => a.other - b.other);
    const room = list[0]?.room ?? { x: 0, y: 0, width: 0, height: 0 };
    const step = Math.min(7, Math.max(0, room.height - 16) / Math.max(1, list.length - 1));
    list.forEach((one, rank) => heights.set(one.key, middle(room).y + (rank - (list.length - 1) / 2) * step));
  }
  const curves = ends.flatMap((end) => {
    if (!end) return [];
    const start = { x: end.from === 'left' ? end.source.x : end.source.x + end.source.width, y: heights.get(`${end.index} source`) ?? 0 };
    const finish = { x: end.to === 'left' ? end.target.x : end.target.x + end.target.width, y: heights.get(`${end.index} target`) ?? 0 };
    return [curveOf(end.link, start, end.from, finish, end.to, layout.routes[end.index] ?? [])];
  });
  return { picture, rects: layout.rects, boxes, curves, bounds: boundsOf(Object.values(layout.rects)) };
}

function endKey(end: End): string {
  return end.row ?? end.box;
}

/** The rectangle of a box's end: the row where there is one. */
export function endRect(boxes: ReadonlyMap<string, Box>, rects: Readonly<Record<string, Rect>>, end: End): Rect | undefined {
  const rect = rects[end.box];
  if (!rect || end.row === undefined) return rect;
  const at = boxes.get(end.box)?.rows.findIndex((row) => row.id === end.row) ?? -1;
  return at < 0 ? rect : rowRect(rect, at);
}

export function rowRect(box: Rect, at: number): Rect {
  return { x: box.x, y: box.y + sizes.openMachine.height + at * sizes.row, width: box.width, height: sizes.row };
}

/** Out at the right and in at the left; against the direction where the target lies on the left; a bow on the right otherwise. */
function sides(source: Rect, target: Rect): [Side, Side] {
  if (target.x >= source.x + source.width) return ['right', 'left'];
  if (target.x + target.width <= source.x) return ['left', 'right'];
  return ['right', 'right'];
}

function curveOf(link: Link, start: Point, from: Side, finish: Point, to: Side, route: readonly Point[]): Curve {
  const outwards = to === 'left' ? -1 : 1;
  // The line ends where the arrow begins.
  const end = { x: finish.x + outwards * arrowLength, y: finish.y };
  const stops = [...route, end];
  const segments: Segment[] = [];
  let last = start;
  stops.forEach((stop, at) => {
    const leaves = at === 0 ? (from === 'left' ? -1 : 1) : Math.sign(stop.x - last.x) || 1;
    const enters = at === stops.length - 1 ? -outwards : Math.sign(stop.x - last.x) || 1;
    const distance = Math.abs(stop.x - last.x);
    const isBow = from === to && stops.length === 1;
    const reach = isBow ? 28 + Math.min(70, Math.abs(stop.y - last.y) / 4) : Math.max(distance / 2, Math.min(24, distance + 8));
    segments.push({ control1: { x: last.x + leaves * reach, y: last.y }, control2: { x: stop.x - enters * reach, y: stop.y }, end: stop });
    last = stop;
  });
  const samples = [start];
  let begin = start;
  for (const segment of segments) {
    for (let step = 1; step <= 10; step += 1) samples.push(pointAt(begin, segment, step / 10));
    begin = segment.end;
  }
  return { link, start, segments, arrow: { at: finish, angle: outwards === -1 ? 0 : Math.PI }, bounds: boundsOf(samples.map((point) => ({ ...point, width: 0, height: 0 }))), samples };
}

function pointAt(start: Point, { control1, control2, end }: Segment, t: number): Point {
  const u = 1 - t;
  const mix = (a: number, b: number, c: number, d: number) => u * u * u * a + 3 * u * u * t * b + 3 * u * t * t * c + t * t * t * d;
  return { x: mix(start.x, control1.x, control2.x, end.x), y: mix(start.y, control1.y, control2.y, end.y) };
}

/** The middle of a line, where its label stands. */
export function middleOf(curve: Curve): Point {
  return curve.samples[Math.floor(curve.samples.length / 2)] ?? curve.start;
}

export function middle(rect: Rect): Point {
  return { x: rect.x + rect.width / 2, y: rect.y + rect.height / 2 };
}

export function boundsOf(rects: readonly Rect[]): Rect {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const rect of rects) {
    left = Math.min(left, rect.x);
    top = Math.min(top, rect.y);
    right = Math.max(right, rect.x + rect.width);
    bottom = Math.max(bottom, rect.y + rect.height);
  }
  return rects.length === 0 ? { x: 0, y: 0, width: 0, height: 0 } : { x: left, y: top, width: right - left, height: bottom - top };
}

export function overlaps(a: Rect, b: Rect): boolean {
  return a.x <= b.x + b.width && b.x <= a.x + a.width && a.y <= b.y + b.height && b.y <= a.y + a.height;
}

export type Hit = { kind: 'box'; box: Box; row: string | undefined; isToggle: boolean } | { kind: 'link'; link: Link };

/** What lies under a point: boxes before lines, members of an opened group before the group. */
export function hitAt(geometry: Geometry, point: Point, reach: number): Hit | undefined {
  let group: Hit | undefined;
  for (const box of geometry.picture.boxes) {
    const rect = geometry.rects[box.id];
    if (!rect || !overlaps(rect, { ...point, width: 0, height: 0 })) continue;
    const isToggle = box.canOpen && point.x > rect.x + rect.width - 30 && point.y < rect.y + sizes.openMachine.height;
    const at = box.open && box.kind === 'machine' ? Math.floor((point.y - rect.y - sizes.openMachine.height) / sizes.row) : -1;
    const hit: Hit = { kind: 'box', box, row: box.rows[at]?.id, isToggle };
    if (box.kind !== 'group' || !box.open) return hit;
    // The frame of an opened group is only its title; lines inside it can be pointed at.
    if (point.y < rect.y + sizes.groupHead) group = hit;
  }
  if (group) return group;
  let nearest: { link: Link; distance: number } | undefined;
  for (const curve of geometry.curves) {
    const area = { x: curve.bounds.x - reach, y: curve.bounds.y - reach, width: curve.bounds.width + 2 * reach, height: curve.bounds.height + 2 * reach };
    if (!overlaps(area, { ...point, width: 0, height: 0 })) continue;
    const distance = distanceTo(curve.samples, point);
    if (distance <= reach && distance < (nearest?.distance ?? Infinity)) nearest = { link: curve.link, distance };
  }
  return nearest && { kind: 'link', link: nearest.link };
}

function distanceTo(samples: readonly Point[], point: Point): number {
  let nearest = Infinity;
  for (let at = 1; at < samples.length; at += 1) {
    const [a, b] = [samples[at - 1] ?? point, samples[at] ?? point];
    const [dx, dy] = [b.x - a.x, b.y - a.y];
    const length = dx * dx + dy * dy;
    const t = length === 0 ? 0 : Math.max(0, Math.min(1, ((point.x - a.x) * dx + (point.y - a.y) * dy) / length));
    nearest = Math.min(nearest, Math.hypot(point.x - a.x - t * dx, point.y - a.y - t * dy));
  }
  return nearest;
}

/** The box in a direction from another: near, and rather straight ahead. For the arrow keys. */
export function neighbourBox(geometry: Geometry, from: string, direction: 'left' | 'right' | 'up' | 'down'): string | undefined {
  const start = geometry.rects[from];
  if (!start) return undefined;
  const origin = middle(start);
  let best: { id: string; cost: number } | undefined;
  for (const [id, rect] of Object.entries(geometry.rects)) {
    const box = geometry.boxes.get(id);
    if (id === from || !box || (box.kind === 'group' && box.open)) continue;
    const point = middle(rect);
    const [dx, dy] = [point.x - origin.x, point.y - origin.y];
    const ahead = { left: -dx, right: dx, up: -dy, down: dy }[direction];
    const aside = direction === 'left' || direction === 'right' ? Math.abs(dy) : Math.abs(dx);
    if (ahead <= 4) continue;
    const cost = ahead + 2.5 * aside;
    if (cost < (best?.cost ?? Infinity)) best = { id, cost };
  }
  return best?.id;
}
