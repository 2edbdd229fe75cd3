import { describe, expect, it } from 'vitest';
import { geometryOf, hitAt, neighbourBox } from './draw/geometry';
import { paint, lineWidth, type Look } from './draw/paint';
import { lightPalette } from './draw/palette';
import { SvgSurface } from './draw/svgSurface';
import { pictureOf } from './graph/picture';
import { worldOf } from './graph/world';
import { layout } from './layout/layout';
import { layoutInput } from './layout/useLayout';
import { smallWorld } from './testWorld';
import { moved, stripRange, strips, stripsWithin } from './timeWindow';
import { parametersOf, viewOf } from './viewState';

function drawn(open: string[] = []) {
  const world = worldOf(smallWorld());
  const picture = pictureOf(world, { edges: world.data.edges, members: undefined, grouping: { by: 'none', names: new Map(), groupOf: new Map() }, open: new Set(open) });
  return geometryOf(picture, layout(layoutInput(picture, {}, undefined)));
}

describe('geometry', () => {
  it('draws lines from the right side of the caller to the left side of the called', () => {
    const geometry = drawn();
    const curve = geometry.curves.find((one) => one.link.id === 'web-01|>app-01|');
    expect(curve?.start.x).toBe((geometry.rects['web-01']?.x ?? 0) + (geometry.rects['web-01']?.width ?? 0));
    expect(curve?.arrow.at.x).toBe(geometry.rects['app-01']?.x);
  });
  it('finds boxes, their processes and lines under the pointer', () => {
    const geometry = drawn(['app-01']);
    const rect = geometry.rects['app-01'] ?? { x: 0, y: 0, width: 0, height: 0 };
    expect(hitAt(geometry, { x: rect.x + 40, y: rect.y + 12 }, 4)).toMatchObject({ kind: 'box', box: { id: 'app-01' }, row: undefined, isToggle: false });
    expect(hitAt(geometry, { x: rect.x + rect.width - 10, y: rect.y + 20 }, 4)).toMatchObject({ isToggle: true });
    expect(hitAt(geometry, { x: rect.x + 40, y: rect.y + 60 }, 4)).toMatchObject({ row: 'p-cron' });
    const curve = geometry.curves[0];
    const on = curve?.samples[5] ?? { x: 0, y: 0 };
    expect(hitAt(geometry, { x: on.x, y: on.y + 2 }, 4)).toMatchObject({ kind: 'link' });
    expect(hitAt(geometry, { x: -500, y: -500 }, 4)).toBeUndefined();
  });
  it('goes from box to box by direction', () => {
    const geometry = drawn();
    expect(neighbourBox(geometry, 'app-01', 'left')).toMatch(/^web-0[12]$/);
    expect(neighbourBox(geometry, 'web-01', 'right')).toBe('app-01');
  });
});

describe('painting', () => {
  it('makes a drawing with every name, red for what failed, and text that cannot break out', () => {
    const data = smallWorld();
    for (const one of data.machines) if (one.id === 'db-01') one.name = '<db> & "co"';
    const world = worldOf(data);
    const picture = pictureOf(world, { edges: data.edges, members: undefined, grouping: { by: 'none', names: new Map(), groupOf: new Map() }, open: new Set() });
    const geometry = geometryOf(picture, layout(layoutInput(picture, {}, undefined)));
    const surface = new SvgSurface((text, size) => text.length * size * 0.5);
    const look: Look = { palette: lightPalette, scale: 1, view: { x: -1e4, y: -1e4, width: 2e4, height: 2e4 }, strong: undefined, selected: undefined, matches: undefined, pinned: new Set(), seconds: 3600 };
    paint(surface, geometry, look);
    const document = surface.document(geometry.bounds, '#fff', 'A & B');
    for (const text of ['web-01', 'app-01', 'pay.example.net', '4 clients', '&lt;db&gt; &amp; &quot;co&quot;', '<title>A &amp; B</title>']) expect(document).toContain(text);
    expect(document).toContain(`stroke="${lightPalette.failed}" stroke-width="1.2" stroke-dasharray="6 4"`);
    expect(document.match(/<path [^>]*fill="none"/g)).toHaveLength(6);
  });
  it('widens lines with traffic', () => {
    const widths = [0, 1e3, 1e5, 1e7, 1e9, 1e15].map(lineWidth);
    expect(widths).toEqual([...widths].sort((a, b) => a - b));
    expect(widths[0]).toBeCloseTo(1.2);
    expect(widths.at(-1)).toBe(8);
  });
});

describe('the address', () => {
  it('says what is shown, and says nothing of what is as usual', () => {
    expect(parametersOf(viewOf(new URLSearchParams())).toString()).toBe('');
    const text = 'focus=web-01&up=2&text=nginx&only=failed&group=subnet&minutes=15&to=2026-01-01T00%3A00%3A00.000Z&view=list&selected=p-1';
    expect(parametersOf(viewOf(new URLSearchParams(text))).toString()).toBe(text);
  });
  it('takes nothing that makes no sense', () => {
    expect(viewOf(new URLSearchParams('up=99&down=x&minutes=-5&to=never&group=colour&view=3d'))).toMatchObject({ upstream: 6, downstream: 1, minutes: 60, to: undefined, groupBy: 'auto', mode: 'map' });
  });
});

describe('time', () => {
  const day = strips[0] ?? { days: 1, label: '', binMinutes: 15 };
  it('offers strips as far as rows are kept', () => {
    expect(stripsWithin(30).map((strip) => strip.days)).toEqual([1, 7, 30]);
    expect(stripsWithin(45).map((strip) => strip.days)).toEqual([1, 7, 30, 90]);
    expect(stripsWithin(9999)).toHaveLength(strips.length);
  });
  it('moves windows within the strip', () => {
    const now = Date.parse('2026-01-02T12:00:30Z');
    expect(stripRange(day, now)).toEqual({ from: Date.parse('2026-01-01T12:00:00Z'), to: Date.parse('2026-01-02T12:00:00Z') });
    expect(moved(now, 60, day, now)).toBe(Date.parse('2026-01-02T12:00:00Z'));
    expect(moved(now, -9999, day, now)).toBe(Date.parse('2026-01-01T12:00:00Z'));
  });
});
