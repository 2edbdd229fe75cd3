// Paints a placed picture. Everything that the eye gets is decided here, for the screen and for files alike.
import type { Health } from '../../../api/management';
import { sizes, type Box, type Link } from '../graph/picture';
import type { Rect } from '../layout/types';
import { arrowLength, middleOf, overlaps, rowRect, type Curve, type Geometry } from './geometry';
import type { Glyph } from './glyphs';
import type { Palette } from './palette';
import type { Surface } from './surface';

export interface Look {
  palette: Palette;
  /** Zoom: below some steps, details that could not be read are left out. */
  scale: number;
  /** The part that is seen; what lies outside is not painted. */
  view: Rect;
  /** What stands out, everything else fades; nothing fades without it. */
  strong: Emphasis | undefined;
  selected: string | undefined;
  /** Boxes and rows that a search found. */
  matches: ReadonlySet<string> | undefined;
  pinned: ReadonlySet<string>;
  /** Seconds of the window, for traffic per second. */
  seconds: number;
}

export interface Emphasis {
  boxes: ReadonlySet<string>;
  rows: ReadonlySet<string>;
  links: ReadonlySet<string>;
}

const faint = 0.16;

/** Width of a line for bytes a second: one step for each tenfold. */
export function lineWidth(bytesPerSecond: number): number {
  return Math.min(8, 1.2 + Math.max(0, Math.log10(1 + bytesPerSecond / 100)) * 0.95);
}

export function paint(surface: Surface, geometry: Geometry, look: Look): void {
  const frames = geometry.picture.boxes.filter((box) => box.kind === 'group' && box.open);
  for (const box of frames) paintFrame(surface, box, geometry.rects[box.id], look);
  const seen = geometry.curves.filter((curve) => overlaps(curve.bounds, look.view));
  const isStrong = (curve: Curve) => look.strong?.links.has(curve.link.id) ?? false;
  const others = seen.filter((curve) => !isStrong(curve));
  const paintOthers = () => { for (const curve of others) paintLink(surface, curve, look, false); };
  // The more lines there are, the fainter each is: then one sees where many run.
  surface.faded(look.strong ? faint : Math.min(1, Math.max(0.3, Math.sqrt(400 / Math.max(1, geometry.curves.length)))), paintOthers);
  for (const curve of seen) if (isStrong(curve)) paintLink(surface, curve, look, true);
  for (const box of geometry.picture.boxes) {
    const rect = geometry.rects[box.id];
    if (!rect || (box.kind === 'group' && box.open) || !overlaps(rect, look.view)) continue;
    const fades = (look.strong && !look.strong.boxes.has(box.id)) || (look.matches && !isMatch(box, look.matches));
    if (fades) surface.faded(0.32, () => paintBox(surface, box, rect, look));
    else paintBox(surface, box, rect, look);
  }
  if (look.scale > 0.35) paintLabels(surface, seen.filter(isStrong), look);
}

export function isMatch(box: Box, matches: ReadonlySet<string>): boolean {
  return matches.has(box.id) || box.members.some((member) => matches.has(member));
}

/** From this share of failures on, a line is red as a whole; below it has a red thread. */
const redShare = 0.02;

function isRed(link: Link): boolean {
  return link.failed > 0 && link.failed >= redShare * (link.failed + link.established);
}

/** The colour of a line: red where connections failed, or one of its ends is known to be malicious. */
function colourOf(link: Link, look: Look, isStrong: boolean): string {
  if (isRed(link) || link.malicious) return look.palette.failed;
  return isStrong || link.id === look.selected ? look.palette.brand : look.palette.line;
}

function paintLink(surface: Surface, curve: Curve, look: Look, isStrong: boolean): void {
  const { link } = curve;
  const colour = colourOf(link, look, isStrong);
  // Thin lines stay visible from afar.
  const width = Math.max(lineWidth(link.bytes / look.seconds) + (link.id === look.selected ? 1.5 : 0), 0.7 / look.scale);
  const dash = link.failed > 0 && link.established === 0 ? { dash: [6, 4] } : {};
  const paintIt = () => {
    surface.line(curve.start, curve.segments, { colour, width, ...dash });
    if (link.failed > 0 && !isRed(link)) surface.line(curve.start, curve.segments, { colour: look.palette.failed, width: Math.max(1, 0.6 / look.scale) });
    if (look.scale > 0.28) paintArrow(surface, curve, width, colour);
  };
  if (isStrong || link.failed > 0 || link.malicious) paintIt();
  else surface.faded(0.75, paintIt);
  if (link.failed > 0 && look.scale > 0.4) {
    const at = middleOf(curve);
    surface.box({ x: at.x - 6.5, y: at.y - 6.5, width: 13, height: 13 }, 6.5, look.palette.box, { colour: look.palette.failed, width: 1.3 });
    surface.glyph('failed', at.x - 4, at.y - 4, 8, look.palette.failed);
  }
}

function paintArrow(surface: Surface, { arrow }: Curve, width: number, colour: string): void {
  const half = 3.2 + width * 0.75;
  const back = arrow.angle === 0 ? -1 : 1;
  const { x, y } = arrow.at;
  surface.polygon([{ x, y }, { x: x + back * (arrowLength + 1 + width / 2), y: y - half }, { x: x + back * (arrowLength + 1 + width / 2), y: y + half }], colour);
}

/** The ports of lines that stand out, where there is room for them. */
function paintLabels(surface: Surface, curves: readonly Curve[], look: Look): void {
  const taken: Rect[] = [];
  const size = 11 * enlarged(look.scale);
  for (const curve of curves) {
    const { ports } = curve.link;
    const text = ports.slice(0, 3).map((port) => `:${port}`).join(' ') + (ports.length > 3 ? ` +${ports.length - 3}` : '');
    const width = surface.width(text, size, true) + 12;
    const height = size + 7;
    const places = [0.5, 0.36, 0.64, 0.24, 0.76].map((part) => curve.samples[Math.round(part * (curve.samples.length - 1))] ?? curve.start);
    const rects = places.map((at, index) => ({ x: at.x - width / 2, y: at.y - (index === 0 && curve.link.failed > 0 ? height + 9 : height / 2), width, height }));
    const rect = rects.find((one) => !taken.some((other) => overlaps(one, other)));
    if (!rect) continue;
    taken.push(rect);
    surface.box(rect, height / 2, look.palette.box, { colour: colourOf(curve.link, look, true), width: 1 });
    surface.text(text, rect.x + width / 2, rect.y + height / 2 + 0.5, { size, bold: true, colour: look.palette.text, align: 'middle' });
  }
}

/** From farther away text is larger beside its box, so that it stays readable. */
function enlarged(scale: number): number {
  return Math.min(1.4, Math.max(1, 0.97 / scale));
}

function paintFrame(surface: Surface, box: Box, rect: Rect | undefined, look: Look): void {
  if (!rect || !overlaps(rect, look.view)) return;
  const { palette } = look;
  surface.box(rect, 10, palette.frame, { colour: box.id === look.selected ? palette.brand : palette.boxStroke, width: box.id === look.selected ? 2 : 1, dash: [5, 4] });
  const size = Math.min(26, Math.max(14, 13 / look.scale));
  surface.glyph('machines', rect.x + 16, rect.y + 12, 18, palette.muted);
  surface.text(`${box.title} · ${box.subtitle}`, rect.x + 42, rect.y + 21, { size, bold: true, colour: palette.text, most: rect.width - 80 });
  surface.glyph('open', rect.x + rect.width - 26, rect.y + 14, 14, palette.muted);
}

function paintBox(surface: Surface, box: Box, rect: Rect, look: Look): void {
  const { palette } = look;
  const isSelected = box.id === look.selected || box.rows.some((row) => row.id === look.selected);
  const isBad = box.malicious > 0;
  const stroke = { colour: isSelected ? palette.brand : isBad ? palette.failed : palette.boxStroke, width: isSelected ? 2.5 : Math.max(isBad ? 2 : 1, 0.6 / look.scale) };
  const radius = box.kind === 'clients' ? rect.height / 2 : 7;
  const isFound = look.matches && isMatch(box, look.matches);
  const fill = isFound && !box.open ? palette.match : palette.box;
  if (box.kind === 'group') {
    for (const offset of [8, 4]) surface.box({ ...rect, x: rect.x + offset, y: rect.y - offset }, radius, palette.frame, { colour: palette.boxStroke, width: 1 });
  }
  const dash = box.kind === 'machine' && !box.monitored ? { dash: [4, 3] } : {};
  surface.box(rect, radius, fill, { ...stroke, ...dash });
  const stripe = healthColour(box.health, palette);
  if (stripe && (box.kind === 'machine' || box.kind === 'group')) surface.box({ x: rect.x + 1, y: rect.y + 7, width: Math.max(3, 3 / Math.sqrt(look.scale)), height: rect.height - 14 }, 1.5, stripe);
  paintHead(surface, box, rect, look);
  if (box.open && look.scale > 0.33) paintRows(surface, box, rect, look);
  if (look.scale > 0.33) paintBadges(surface, box, rect, look);
}

function paintHead(surface: Surface, box: Box, rect: Rect, look: Look): void {
  const { palette } = look;
  const height = box.open ? sizes.openMachine.height : rect.height - (box.kind === 'group' ? 6 : 0);
  const isFar = look.scale < 0.62;
  const larger = enlarged(look.scale);
  const sign = signOf(box);
  const signSize = isFar ? Math.min(height - 14, 18 / Math.max(look.scale, 0.5)) : 18;
  const left = rect.x + (box.kind === 'clients' ? 15 : 13);
  surface.glyph(sign.glyph, left, rect.y + (height - signSize) / 2, signSize, sign.colour(palette));
  const textLeft = left + signSize + 9;
  const right = rect.x + rect.width - (box.canOpen && !isFar ? 30 : 10);
  const bold = box.kind !== 'clients';
  if (isFar) {
    const size = Math.min(box.kind === 'group' ? 30 : 22, 12 / look.scale);
    surface.text(box.title, textLeft, rect.y + height / 2 + 0.5, { size, bold, colour: palette.text, most: right - textLeft });
  } else {
    const size = (box.kind === 'group' ? 14.5 : 13) * larger;
    surface.text(box.title, textLeft, rect.y + height / 2 - 8 * larger, { size, bold, colour: palette.text, most: right - textLeft });
    surface.text(box.subtitle, textLeft, rect.y + height / 2 + 9.5 * larger, { size: 11 * larger, colour: palette.muted, most: right - textLeft });
    if (box.canOpen) surface.glyph(box.open ? 'open' : 'closed', rect.x + rect.width - 25, rect.y + height / 2 - 7, 14, palette.muted);
  }
  if (box.kind === 'group') paintShares(surface, box, rect, look);
}

/** How many of a group's machines are how: a bar along its lower edge. */
function paintShares(surface: Surface, box: Box, rect: Rect, look: Look): void {
  const { palette } = look;
  const total = box.shares.reduce((sum, share) => sum + share.count, 0);
  let x = rect.x + 13;
  const width = rect.width - 26;
  for (const share of box.shares) {
    const part = (width * share.count) / Math.max(1, total);
    if (part > 0) surface.box({ x, y: rect.y + rect.height - 10, width: Math.max(1.5, part - 1), height: 4 }, 1, healthColour(share.health, palette) ?? palette.boxStroke);
    x += part;
  }
}

function paintRows(surface: Surface, box: Box, rect: Rect, look: Look): void {
  const { palette } = look;
  const larger = Math.min(1.25, enlarged(look.scale));
  box.rows.forEach((row, at) => {
    const area = rowRect(rect, at);
    const y = area.y + area.height / 2;
    const isSelected = row.id === look.selected;
    const isFound = look.matches?.has(row.id) ?? false;
    if (at === 0) surface.box({ x: rect.x + 1, y: area.y - 0.5, width: rect.width - 2, height: 1 }, 0, palette.row);
    if (isSelected || isFound) surface.box({ x: rect.x + 5, y: area.y + 1.5, width: rect.width - 10, height: area.height - 3 }, 4, isFound ? palette.match : palette.frame, isSelected ? { colour: palette.brand, width: 1.2 } : undefined);
    const ports = row.ports.length === 0 ? '' : row.ports.slice(0, 2).map((port) => `:${port}`).join(' ') + (row.ports.length > 2 ? ` +${row.ports.length - 2}` : '');
    const taken = ports === '' ? 0 : surface.width(ports, 11 * larger, false) + 10;
    const sign = row.health && row.health !== 'Uninitialized' ? signOf({ kind: 'machine', health: row.health }) : undefined;
    surface.glyph(sign?.glyph ?? 'process', rect.x + 15, y - 5.5, 11, sign?.colour(palette) ?? palette.muted);
    surface.text(row.title, rect.x + 34, y + 0.5, { size: 12 * larger, colour: palette.text, most: rect.width - 46 - taken });
    if (ports !== '') surface.text(ports, rect.x + rect.width - 12, y + 0.5, { size: 11 * larger, colour: palette.muted, align: 'right' });
  });
  if (box.kind !== 'machine') return;
  const area = rowRect(rect, box.rows.length);
  const rest = box.quietRows === 0 ? (box.rows.length === 0 ? 'No process is known' : '') : `${box.rows.length === 0 ? '' : '+ '}${box.quietRows} without connections`;
  if (rest !== '') surface.text(rest, rect.x + 34, area.y + area.height / 2, { size: 11 * larger, colour: palette.muted, most: rect.width - 46 });
}

/** Counts on the upper edge: malicious addresses, critical alerts, warnings, work items; on the left whether it is pinned or in maintenance. */
function paintBadges(surface: Surface, box: Box, rect: Rect, look: Look): void {
  const { palette } = look;
  const badges: { text: string; fill: string; glyph?: Glyph }[] = [];
  if (box.malicious > 0) badges.push({ text: String(box.malicious), fill: palette.badBadge, glyph: 'malicious' });
  if (box.alerts.critical > 0) badges.push({ text: String(box.alerts.critical), fill: palette.badBadge, glyph: 'failed' });
  if (box.alerts.warning > 0) badges.push({ text: String(box.alerts.warning), fill: palette.warningBadge, glyph: 'warning' });
  if (box.workItems > 0) badges.push({ text: String(box.workItems), fill: palette.brandBadge, glyph: 'workItem' });
  let right = rect.x + rect.width - 8;
  for (const badge of badges) {
    const width = surface.width(badge.text, 11, true) + (badge.glyph ? 24 : 13);
    surface.box({ x: right - width, y: rect.y - 9, width, height: 17 }, 8.5, badge.fill, { colour: palette.box, width: 1.5 });
    if (badge.glyph) surface.glyph(badge.glyph, right - width + 6, rect.y - 5, 9, palette.onBadge);
    surface.text(badge.text, right - 7, rect.y, { size: 11, bold: true, colour: palette.onBadge, align: 'right' });
    right -= width + 4;
  }
  const signs: Glyph[] = [...(box.inMaintenance ? (['maintenance'] as const) : []), ...(look.pinned.has(box.id) ? (['pin'] as const) : [])];
  signs.forEach((glyph, at) => {
    const x = rect.x + 8 + at * 20;
    surface.box({ x, y: rect.y - 9, width: 17, height: 17 }, 8.5, palette.box, { colour: palette.boxStroke, width: 1 });
    surface.glyph(glyph, x + 3.5, rect.y - 5.5, 10, palette.brand);
  });
}

function signOf(box: Pick<Box, 'kind' | 'health'>): { glyph: Glyph; colour: (palette: Palette) => string } {
  if (box.kind === 'clients') return { glyph: 'clients', colour: (palette) => palette.muted };
  if (box.kind === 'servers') return { glyph: 'outside', colour: (palette) => palette.muted };
  switch (box.health) {
    case 'Success': return { glyph: 'healthy', colour: (palette) => palette.good };
    case 'Warning': return { glyph: 'warning', colour: (palette) => palette.warning };
    case 'Error': return { glyph: 'critical', colour: (palette) => palette.bad };
    case 'Uninitialized': return { glyph: 'unknown', colour: (palette) => palette.none };
    case null: return { glyph: box.kind === 'group' ? 'machines' : 'server', colour: (palette) => palette.muted };
  }
}

function healthColour(health: Health | null, palette: Palette): string | undefined {
  switch (health) {
    case 'Success': return palette.good;
    case 'Warning': return palette.warning;
    case 'Error': return palette.bad;
    default: return undefined;
  }
}
