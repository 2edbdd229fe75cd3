// One connected part of a picture in layers from left to right: callers before what they call.
import { placeInOrder } from './coordinates';
import { cutCycles, longestPathLayers } from './layers';
import { orderLayers } from './order';
import type { LayoutEdge, LayoutNode, Point, Rect } from './types';

export interface Part {
  rects: Map<string, Rect>;
  /** Points between the ends of a pair of nodes, by `source|target`. */
  routes: Map<string, Point[]>;
  width: number;
  height: number;
}

/** More layers than this are squeezed: a picture should not be a ribbon. */
const mostLayers = 10;
/** Between boxes above one another: at least, and where there are few. */
const leastGap = 16;
const mostGap = 40;
const gapBetweenColumns = 26;
/** What an edge takes that passes a layer. */
const passing = 12;
const aspect = 1.7;
const relaxations = 10;

/** A node of the layered graph: a box, or a place where an edge passes a layer. */
interface Slot {
  node: LayoutNode | undefined;
  layer: number;
  height: number;
}

export function layoutPart(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[]): Part {
  const index = new Map(nodes.map((node, at) => [node.id, at]));
  const pairs = distinctPairs(edges, index);
  const layerOf = layersOf(nodes, pairs.map(({ source, target }) => [source, target] as const));
  const slots: Slot[] = nodes.map((node, at) => ({ node, layer: layerOf[at] ?? 0, height: node.height }));
  const before: number[][] = nodes.map(() => []);
  const after: number[][] = nodes.map(() => []);
  const chains: { key: string; back: string; slots: number[]; isTurned: boolean }[] = [];
  for (const pair of pairs) {
    const isTurned = (layerOf[pair.source] ?? 0) > (layerOf[pair.target] ?? 0);
    const [left, right] = isTurned ? [pair.target, pair.source] : [pair.source, pair.target];
    const from = layerOf[left] ?? 0;
    const to = layerOf[right] ?? 0;
    if (from === to) continue;
    const chain: number[] = [];
    let last = left;
    for (let layer = from + 1; layer <= to; layer += 1) {
      const next = layer === to ? right : slots.length;
      if (layer < to) {
        slots.push({ node: undefined, layer, height: 0 });
        before.push([]);
        after.push([]);
        chain.push(next);
      }
      after[last]?.push(next);
      before[next]?.push(last);
      last = next;
    }
    if (chain.length > 0) chains.push({ key: pair.key, back: pair.back, slots: chain, isTurned });
  }
  const layers = initialOrder(slots);
  orderLayers(layers, { before, after });
  return place(layers, slots, { before, after }, chains);
}

interface Pair {
  key: string;
  /** The key of the same pair the other way round. */
  back: string;
  source: number;
  target: number;
}

function distinctPairs(edges: readonly LayoutEdge[], index: ReadonlyMap<string, number>): Pair[] {
  const pairs = new Map<string, Pair>();
  for (const edge of edges) {
    const source = index.get(edge.source);
    const target = index.get(edge.target);
    if (source === undefined || target === undefined || source === target) continue;
    const key = `${edge.source}|${edge.target}`;
    if (!pairs.has(key)) pairs.set(key, { key, back: `${edge.target}|${edge.source}`, source, target });
  }
  return [...pairs.values()];
}

/** Layers of all nodes: those with a side outermost, the others by their longest path. */
function layersOf(nodes: readonly LayoutNode[], pairs: readonly (readonly [number, number])[]): number[] {
  const isInner = nodes.map((node) => node.side === undefined);
  const inner = pairs.filter(([source, target]) => isInner[source] && isInner[target]);
  const turned = cutCycles({ count: nodes.length, edges: inner });
  const acyclic = inner.map(([source, target], at) => (turned.has(at) ? ([target, source] as const) : ([source, target] as const)));
  const layers = longestPathLayers({ count: nodes.length, edges: acyclic }, mostLayers);
  const deepest = nodes.reduce((most, _node, at) => (isInner[at] ? Math.max(most, layers[at] ?? 0) : most), 0);
  const offset = nodes.some((node) => node.side === 'first') ? 1 : 0;
  return nodes.map((node, at) => (node.side === 'first' ? 0 : node.side === 'last' ? deepest + offset + 1 : (layers[at] ?? 0) + offset));
}

/** Slots by layer, as they were in the picture before, and otherwise as they came. */
function initialOrder(slots: readonly Slot[]): number[][] {
  const layers: number[][] = [];
  slots.forEach((slot, at) => (layers[slot.layer] ??= []).push(at));
  for (let layer = 0; layer < layers.length; layer += 1) layers[layer] ??= [];
  const seat = (at: number) => slots[at]?.node?.before;
  for (const layer of layers) {
    if (layer.some((at) => seat(at) !== undefined)) layer.sort((a, b) => (seat(a) ?? Infinity) - (seat(b) ?? Infinity) || a - b);
  }
  return layers;
}

/** A column of a layer: its slots in order. Layers that are too high have several. */
interface Column {
  slots: number[];
  width: number;
  x: number;
}

/** Few boxes get more room around them. */
function gapFor(layers: readonly (readonly number[])[], slots: readonly Slot[]): number {
  const most = layers.reduce((count, layer) => Math.max(count, layer.filter((at) => slots[at]?.node).length), 1);
  return Math.max(leastGap, Math.min(mostGap, 420 / most));
}

function place(layers: number[][], slots: readonly Slot[], neighbours: { before: number[][]; after: number[][] }, chains: readonly { key: string; back: string; slots: number[]; isTurned: boolean }[]): Part {
  const gap = gapFor(layers, slots);
  const most = mostHeight(layers, slots, gap);
  const y = new Float64Array(slots.length);
  const isFree = new Uint8Array(slots.length);
  const columnsOf: Column[][] = layers.map((layer) => {
    const boxes = layer.filter((at) => slots[at]?.node);
    const height = boxes.reduce((sum, at) => sum + (slots[at]?.height ?? 0) + gap, 0);
    const count = Math.max(1, Math.ceil(height / most));
    if (count > 1) for (const at of layer) if (!slots[at]?.node) isFree[at] = 1;
    const columns: Column[] = Array.from({ length: count }, () => ({ slots: [], width: 0, x: 0 }));
    // Neighbours in the order stand beside one another, so that a high layer keeps its order from top to bottom.
    (count === 1 ? layer : boxes).forEach((at, rank) => columns[rank % count]?.slots.push(at));
    for (const column of columns) column.width = column.slots.reduce((width, at) => Math.max(width, slots[at]?.node?.width ?? 0), 0);
    return columns;
  });
  stack(columnsOf, slots, y, gap);
  for (let turn = 0; turn < relaxations; turn += 1) {
    const isForward = turn % 2 === 0;
    const isLast = turn >= relaxations - 2;
    const layerOrder = layers.map((_layer, at) => (isForward ? at : layers.length - 1 - at));
    for (const at of layerOrder) {
      const wish = (slot: number) => {
        const others = isLast ? [...(neighbours.before[slot] ?? []), ...(neighbours.after[slot] ?? [])] : ((isForward ? neighbours.before : neighbours.after)[slot] ?? []);
        return others.length === 0 ? (y[slot] ?? 0) : others.reduce((sum, other) => sum + (y[other] ?? 0), 0) / others.length;
      };
      for (const column of columnsOf[at] ?? []) settle(column.slots, slots, y, wish, gap);
      for (const slot of layers[at] ?? []) if (isFree[slot]) y[slot] = wish(slot);
    }
  }
  return measured(columnsOf, layers, slots, y, chains);
}

/**
 * How high a layer may be before it gets another column: as high as fits the width that the layers take anyway, or as a
 * picture of all boxes that is somewhat wider than high.
 */
function mostHeight(layers: readonly (readonly number[])[], slots: readonly Slot[], gap: number): number {
  let area = 0;
  for (const { node } of slots) if (node) area += (node.width + gapBetweenColumns) * (node.height + gap);
  const highest = slots.reduce((most, slot) => Math.max(most, slot.height), 0);
  const width = layers.reduce((sum, layer) => sum + layer.reduce((most, at) => Math.max(most, slots[at]?.node?.width ?? 0), 0) + 120, 0);
  return Math.max(560, highest + gap, width / aspect, Math.sqrt((area * 1.3) / aspect));
}

function stack(columnsOf: readonly Column[][], slots: readonly Slot[], y: Float64Array, gap: number): void {
  for (const columns of columnsOf) {
    for (const column of columns) {
      const height = column.slots.reduce((sum, at) => sum + space(slots[at], gap), 0);
      let top = -height / 2;
      for (const at of column.slots) {
        y[at] = top + space(slots[at], gap) / 2;
        top += space(slots[at], gap);
      }
    }
  }
}

function space(slot: Slot | undefined, gap: number): number {
  return slot?.node ? slot.height + gap : passing;
}

function settle(column: readonly number[], slots: readonly Slot[], y: Float64Array, wish: (slot: number) => number, gap: number): void {
  const wanted = column.map(wish);
  const gaps = column.map((at, rank) => (rank === 0 ? 0 : (space(slots[at], gap) + space(slots[column[rank - 1] ?? at], gap)) / 2));
  const weights = column.map((at) => (slots[at]?.node ? 1 : 0.4));
  placeInOrder(wanted, gaps, weights).forEach((value, rank) => { y[column[rank] ?? 0] = value; });
}

function measured(columnsOf: readonly Column[][], layers: readonly (readonly number[])[], slots: readonly Slot[], y: Float64Array, chains: readonly { key: string; back: string; slots: number[]; isTurned: boolean }[]): Part {
  let x = 0;
  const spans = columnsOf.map((columns, at) => {
    const from = x;
    for (const column of columns) {
      column.x = x;
      x += column.width + gapBetweenColumns;
    }
    const to = x - gapBetweenColumns;
    x = to + gapAfter(layers[at]?.length ?? 0, layers[at + 1]?.length ?? 0);
    return { from, to };
  });
  const width = spans.at(-1)?.to ?? 0;
  let top = Infinity;
  let bottom = -Infinity;
  slots.forEach((slot, at) => {
    top = Math.min(top, (y[at] ?? 0) - slot.height / 2);
    bottom = Math.max(bottom, (y[at] ?? 0) + slot.height / 2);
  });
  const rects = new Map<string, Rect>();
  for (const column of columnsOf.flat()) {
    for (const at of column.slots) {
      const node = slots[at]?.node;
      if (!node) continue;
      rects.set(node.id, { x: column.x + (column.width - node.width) / 2, y: (y[at] ?? 0) - node.height / 2 - top, width: node.width, height: node.height });
    }
  }
  const routes = new Map<string, Point[]>();
  for (const chain of chains) {
    const points = chain.slots.flatMap((at) => {
      const span = spans[slots[at]?.layer ?? 0];
      const height = (y[at] ?? 0) - top;
      return span ? [{ x: span.from, y: height }, { x: span.to, y: height }] : [];
    });
    routes.set(chain.key, chain.isTurned ? points.reverse() : points);
  }
  return { rects, routes, width, height: bottom - top };
}

/** More boxes beside one another mean more edges between them, which need room to be told apart. */
function gapAfter(left: number, right: number): number {
  return 84 + Math.min(130, Math.sqrt(left * right) * 7);
}
