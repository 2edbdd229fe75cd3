import { describe, expect, it } from 'vitest';
import { placeInOrder } from './coordinates';
import { layout } from './layout';
import { cutCycles, longestPathLayers } from './layers';
import { crossings, orderLayers } from './order';
import type { LayoutInput, LayoutNode, Rect } from './types';

const node = (id: string, more: Partial<LayoutNode> = {}): LayoutNode => ({ id, width: 100, height: 40, ...more });
const input = (nodes: LayoutNode[], edges: [string, string][], more: Partial<LayoutInput> = {}): LayoutInput => ({ nodes, edges: edges.map(([source, target]) => ({ source, target, weight: 1 })), pins: {}, padding: 18, head: 40, ...more });

function overlapping(rects: Record<string, Rect>, ids: string[]): [string, string][] {
  const pairs: [string, string][] = [];
  ids.forEach((a, at) => ids.slice(at + 1).forEach((b) => {
    const [one, other] = [rects[a], rects[b]];
    if (one && other && one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height) pairs.push([a, b]);
  }));
  return pairs;
}

describe('layers', () => {
  it('are the longest path', () => {
    expect(longestPathLayers({ count: 4, edges: [[0, 1], [1, 2], [0, 2], [2, 3]] }, 10)).toEqual([0, 1, 2, 3]);
  });
  it('put a caller just before what it calls', () => {
    expect(longestPathLayers({ count: 4, edges: [[0, 1], [1, 2], [3, 2]] }, 10)).toEqual([0, 1, 2, 1]);
  });
  it('are squeezed when there are too many', () => {
    const chain = Array.from({ length: 99 }, (_, at) => [at, at + 1] as const);
    const layers = longestPathLayers({ count: 100, edges: chain }, 10);
    expect(Math.max(...layers)).toBe(9);
    chain.forEach(([source, target]) => expect(layers[source]).toBeLessThanOrEqual(layers[target] ?? -1));
  });
  it('exist for any graph once cycles were cut', () => {
    let state = 7;
    const next = () => (state = (state * 1103515245 + 12345) % 2147483648);
    for (let round = 0; round < 50; round += 1) {
      const count = 2 + (next() % 20);
      const edges = Array.from({ length: next() % 60 }, () => [next() % count, next() % count] as const);
      const turned = cutCycles({ count, edges });
      const acyclic = edges.filter(([source, target]) => source !== target).map(([source, target]) => [source, target] as const);
      const straight = edges.flatMap((one, at) => (one[0] === one[1] ? [] : [turned.has(at) ? ([one[1], one[0]] as const) : one]));
      const layers = longestPathLayers({ count, edges: straight }, 1000);
      straight.forEach(([source, target]) => expect(layers[source]).toBeLessThan(layers[target] ?? -1));
      expect(turned.size).toBeLessThanOrEqual(acyclic.length / 2);
    }
  });
  it('turn one edge of a ring and none of a graph without cycles', () => {
    expect(cutCycles({ count: 3, edges: [[0, 1], [1, 2], [2, 0]] }).size).toBe(1);
    expect(cutCycles({ count: 4, edges: [[0, 1], [0, 2], [1, 3], [2, 3]] }).size).toBe(0);
  });
});

describe('order', () => {
  it('counts crossings', () => {
    const position = Float64Array.from([0, 1, 0, 1]);
    expect(crossings([[0, 1], [2, 3]], [[3], [2], [], []], position)).toBe(1);
    expect(crossings([[0, 1], [2, 3]], [[2], [3], [], []], position)).toBe(0);
    expect(crossings([[0, 1], [2, 3]], [[2, 3], [2, 3], [], []], position)).toBe(1);
  });
  it('takes crossings away', () => {
    const layers = [[0, 1, 2], [3, 4, 5]];
    const after = [[5], [4], [3], [], [], []];
    const before = [[], [], [], [2], [1], [0]];
    orderLayers(layers, { before, after });
    const position = new Float64Array(6);
    for (const layer of layers) layer.forEach((one, at) => { position[one] = at; });
    expect(crossings(layers, after, position)).toBe(0);
  });
});

describe('placing in order', () => {
  it('leaves what fits where it wants to be', () => {
    expect(placeInOrder([0, 100, 200], [0, 50, 50], [1, 1, 1])).toEqual([0, 100, 200]);
  });
  it('parts what is too near around its middle', () => {
    expect(placeInOrder([10, 10], [0, 20], [1, 1])).toEqual([0, 20]);
    expect(placeInOrder([10, 10], [0, 20], [3, 1])).toEqual([5, 25]);
  });
  it('keeps the order', () => {
    expect(placeInOrder([100, 0], [0, 20], [1, 1])).toEqual([40, 60]);
  });
});

describe('layout', () => {
  it('runs from left to right, clients first and servers outside last', () => {
    const { rects } = layout(input([node('db'), node('web'), node('app'), node('clients', { side: 'first' }), node('mail', { side: 'last' })], [['clients', 'web'], ['web', 'app'], ['app', 'db'], ['web', 'mail'], ['clients', 'db']]));
    const x = ['clients', 'web', 'app', 'db', 'mail'].map((id) => rects[id]?.x ?? NaN);
    expect(x).toEqual([...x].sort((a, b) => a - b));
    expect(new Set(x).size).toBe(5);
  });
  it('never lets boxes overlap, whatever the graph', () => {
    let state = 3;
    const next = () => (state = (state * 1103515245 + 12345) % 2147483648);
    for (let round = 0; round < 30; round += 1) {
      const ids = Array.from({ length: 2 + (next() % 60) }, (_, at) => `n${at}`);
      const edges = Array.from({ length: next() % 90 }, (): [string, string] => [ids[next() % ids.length] ?? '', ids[next() % ids.length] ?? '']);
      const { rects } = layout(input(ids.map((id) => node(id, { height: 30 + (next() % 200) })), edges));
      expect(Object.keys(rects)).toHaveLength(ids.length);
      expect(overlapping(rects, ids)).toEqual([]);
    }
  });
  it('leads long edges through the layers between', () => {
    const { rects, routes } = layout(input([node('a'), node('b'), node('c')], [['a', 'b'], ['b', 'c'], ['a', 'c']]));
    expect(routes[0]).toBeUndefined();
    expect(routes[2]).toHaveLength(2);
    expect(routes[2]?.[0]?.x).toBe(rects['b']?.x);
  });
  it('draws members inside their opened group', () => {
    const { rects } = layout(input([node('g'), node('m1', { parent: 'g' }), node('m2', { parent: 'g' }), node('x')], [['m1', 'm2'], ['x', 'm1']]));
    for (const id of ['m1', 'm2']) {
      const [inner, outer] = [rects[id], rects['g']];
      expect(inner && outer && inner.x >= outer.x && inner.y >= outer.y + 40 && inner.x + inner.width <= outer.x + outer.width && inner.y + inner.height <= outer.y + outer.height).toBe(true);
    }
    expect(overlapping(rects, ['g', 'x'])).toEqual([]);
  });
  it('leaves pinned boxes where they were put and moves others out of their way', () => {
    const nodes = [node('a'), node('b'), node('c')];
    const free = layout(input(nodes, [['a', 'b'], ['a', 'c']]));
    const onB = free.rects['b'] ?? { x: 0, y: 0 };
    const { rects } = layout(input(nodes, [['a', 'b'], ['a', 'c']], { pins: { a: { x: onB.x + 5, y: onB.y - 5 } } }));
    expect(rects['a']).toMatchObject({ x: onB.x + 5, y: onB.y - 5 });
    expect(overlapping(rects, ['a', 'b', 'c'])).toEqual([]);
  });
  it('gives wide pictures many columns rather than one endless one', () => {
    const ids = Array.from({ length: 200 }, (_, at) => `s${at}`);
    const { rects } = layout(input([node('hub'), ...ids.map((id) => node(id))], ids.map((id): [string, string] => ['hub', id])));
    const bottom = Math.max(...Object.values(rects).map((rect) => rect.y + rect.height));
    const right = Math.max(...Object.values(rects).map((rect) => rect.x + rect.width));
    expect(right).toBeGreaterThan(bottom * 0.9);
    expect(bottom).toBeLessThan(200 * 56 * 0.2);
    expect(overlapping(rects, ['hub', ...ids])).toEqual([]);
  });
  it('keeps the order of the picture before', () => {
    const edges: [string, string][] = [['a', 'b'], ['a', 'c']];
    const above = layout(input([node('a'), node('b', { before: 500 }), node('c', { before: 10 })], edges)).rects;
    expect((above['c']?.y ?? 0) < (above['b']?.y ?? 0)).toBe(true);
  });
});
