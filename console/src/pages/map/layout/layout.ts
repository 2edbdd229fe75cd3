// Where everything goes: opened groups from the inside out, connected parts in layers, parts side by side, pins last.
import { layoutPart, type Part } from './component';
import type { LayoutEdge, LayoutInput, LayoutNode, LayoutResult, Point, Rect } from './types';

const gapBetweenParts = 44;
const gapInGrid = 14;
const aspect = 1.7;

export function layout(input: LayoutInput): LayoutResult {
  const parentOf = new Map(input.nodes.map((node) => [node.id, node.parent]));
  const outer = (id: string) => parentOf.get(id) ?? id;
  const inside = new Map<string, Part>();
  for (const group of new Set(input.nodes.flatMap((node) => node.parent ?? []))) {
    const members = input.nodes.filter((node) => node.parent === group);
    const ids = new Set(members.map((node) => node.id));
    inside.set(group, layoutLevel(members, input.edges.filter((edge) => ids.has(edge.source) && ids.has(edge.target))));
  }
  const nodes = input.nodes.filter((node) => node.parent === undefined).map((node) => {
    const part = inside.get(node.id);
    return part ? { ...node, width: Math.max(node.width, part.width + 2 * input.padding), height: part.height + input.head + input.padding } : node;
  });
  const edges = input.edges.map((edge) => ({ ...edge, source: outer(edge.source), target: outer(edge.target) }));
  const whole = layoutLevel(nodes, edges.filter((edge) => edge.source !== edge.target));
  const moved = pin(whole.rects, input.pins);
  return collect(input, edges, whole, inside, moved);
}

function collect(input: LayoutInput, outerEdges: readonly LayoutEdge[], whole: Part, inside: ReadonlyMap<string, Part>, moved: ReadonlySet<string>): LayoutResult {
  const rects: Record<string, Rect> = Object.fromEntries(whole.rects);
  for (const [group, part] of inside) {
    const frame = rects[group];
    if (!frame) continue;
    for (const [id, rect] of part.rects) rects[id] = { ...rect, x: rect.x + frame.x + input.padding, y: rect.y + frame.y + input.head };
  }
  const routes: Record<number, Point[]> = {};
  input.edges.forEach((edge, index) => {
    const outer = outerEdges[index];
    if (!outer) return;
    if (outer.source === outer.target) {
      const frame = rects[outer.source];
      const route = inside.get(outer.source)?.routes.get(`${edge.source}|${edge.target}`);
      if (route && frame) routes[index] = route.map((point) => ({ x: point.x + frame.x + input.padding, y: point.y + frame.y + input.head }));
    } else if (!moved.has(outer.source) && !moved.has(outer.target)) {
      const route = whole.routes.get(`${outer.source}|${outer.target}`);
      if (route) routes[index] = route;
    }
  });
  return { rects, routes };
}

/** All parts of one level beside one another; nodes without any edge form a grid at the end. */
function layoutLevel(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[]): Part {
  const components = connected(nodes, edges);
  const alone = components.filter((component) => component.nodes.length === 1).flatMap((component) => component.nodes);
  const parts = components.filter((component) => component.nodes.length > 1).map((component) => layoutPart(component.nodes, component.edges));
  parts.sort((a, b) => b.width * b.height - a.width * a.height);
  const area = parts.reduce((sum, part) => sum + (part.width + gapBetweenParts) * (part.height + gapBetweenParts), 0);
  const target = Math.max(Math.sqrt(area * aspect), ...parts.map((part) => part.width), 0);
  if (alone.length > 0) parts.push(grid(alone, target));
  return shelves(parts, target);
}

interface Component {
  nodes: LayoutNode[];
  edges: LayoutEdge[];
}

function connected(nodes: readonly LayoutNode[], edges: readonly LayoutEdge[]): Component[] {
  const root = new Map(nodes.map((node) => [node.id, node.id]));
  const find = (id: string): string => {
    let at = id;
    for (let up = root.get(at) ?? at; up !== at; up = root.get(at) ?? at) {
      root.set(at, root.get(up) ?? up);
      at = up;
    }
    return at;
  };
  for (const edge of edges) if (root.has(edge.source) && root.has(edge.target)) root.set(find(edge.source), find(edge.target));
  const components = new Map<string, Component>();
  for (const node of nodes) {
    const key = find(node.id);
    const component = components.get(key);
    if (component) component.nodes.push(node);
    else components.set(key, { nodes: [node], edges: [] });
  }
  for (const edge of edges) if (root.has(edge.source) && root.has(edge.target)) components.get(find(edge.source))?.edges.push(edge);
  return [...components.values()];
}

function grid(nodes: readonly LayoutNode[], width: number): Part {
  const widest = nodes.reduce((most, node) => Math.max(most, node.width), 0) + gapInGrid;
  const area = nodes.reduce((sum, node) => sum + widest * (node.height + gapInGrid), 0);
  const columns = Math.max(1, Math.min(nodes.length, Math.round(Math.max(width, Math.sqrt(area * aspect)) / widest)));
  const rects = new Map<string, Rect>();
  let top = 0;
  for (let at = 0; at < nodes.length; at += columns) {
    const line = nodes.slice(at, at + columns);
    line.forEach((node, column) => rects.set(node.id, { x: column * widest, y: top, width: node.width, height: node.height }));
    top += Math.max(...line.map((node) => node.height)) + gapInGrid;
  }
  return { rects, routes: new Map(), width: columns * widest - gapInGrid, height: top - gapInGrid };
}

/** Parts in lines, the largest first; a line ends where it would be wider than the target. */
function shelves(parts: readonly Part[], target: number): Part {
  const whole: Part = { rects: new Map(), routes: new Map(), width: 0, height: 0 };
  let x = 0;
  let top = 0;
  let line = 0;
  for (const part of parts) {
    if (x > 0 && x + part.width > target * 1.05) {
      x = 0;
      top += line + gapBetweenParts;
      line = 0;
    }
    for (const [id, rect] of part.rects) whole.rects.set(id, { ...rect, x: rect.x + x, y: rect.y + top });
    for (const [key, points] of part.routes) whole.routes.set(key, points.map((point) => ({ x: point.x + x, y: point.y + top })));
    line = Math.max(line, part.height);
    whole.width = Math.max(whole.width, x + part.width);
    x += part.width + gapBetweenParts;
  }
  whole.height = top + line;
  return whole;
}

/** Puts pinned boxes where they were pinned and moves what they would cover downwards; gives those that moved. */
function pin(rects: Map<string, Rect>, pins: Readonly<Record<string, Point>>): Set<string> {
  const moved = new Set<string>();
  const settled: Rect[] = [];
  for (const [id, rect] of rects) {
    const point = pins[id];
    if (!point) continue;
    rect.x = point.x;
    rect.y = point.y;
    moved.add(id);
    settled.push(rect);
  }
  if (moved.size === 0) return moved;
  const others = [...rects].filter(([id]) => !moved.has(id)).sort(([, a], [, b]) => a.y - b.y);
  for (const [id, rect] of others) {
    const was = rect.y;
    for (let hit = covered(rect, settled); hit; hit = covered(rect, settled)) rect.y = hit.y + hit.height + gapInGrid;
    if (rect.y !== was) moved.add(id);
    settled.push(rect);
  }
  return moved;
}

function covered(rect: Rect, others: readonly Rect[]): Rect | undefined {
  return others.find((other) => rect.x < other.x + other.width && other.x < rect.x + rect.width && rect.y < other.y + other.height && other.y < rect.y + rect.height);
}
