// Which layer each node gets: the longest path from the nodes that nothing points to, after cycles were cut.

export interface Graph {
  /** Number of nodes; nodes are 0 … count-1. */
  count: number;
  edges: readonly (readonly [number, number])[];
}

/**
 * Edges to look at the other way round so that no cycle is left, by index. The order of Eades, Lin and Smyth: sinks go
 * to the end, sources to the beginning, otherwise the node that sends more than it gets; edges against it are turned.
 */
export function cutCycles({ count, edges }: Graph): Set<number> {
  const out = Array.from({ length: count }, (): number[] => []);
  const into = Array.from({ length: count }, (): number[] => []);
  const outDegree = new Int32Array(count);
  const inDegree = new Int32Array(count);
  for (const [source, target] of edges) {
    if (source === target) continue;
    out[source]?.push(target);
    into[target]?.push(source);
    outDegree[source] = (outDegree[source] ?? 0) + 1;
    inDegree[target] = (inDegree[target] ?? 0) + 1;
  }
  const place = new Int32Array(count).fill(-1);
  let first = 0;
  let last = count - 1;
  const sinks: number[] = [];
  const sources: number[] = [];
  const note = (node: number) => {
    if (place[node] !== -1) return;
    if (outDegree[node] === 0) sinks.push(node);
    else if (inDegree[node] === 0) sources.push(node);
  };
  const remove = (node: number, at: number) => {
    place[node] = at;
    for (const other of out[node] ?? []) {
      inDegree[other] = (inDegree[other] ?? 0) - 1;
      note(other);
    }
    for (const other of into[node] ?? []) {
      outDegree[other] = (outDegree[other] ?? 0) - 1;
      note(other);
    }
  };
  for (let node = 0; node < count; node += 1) note(node);
  while (first <= last) {
    const sink = sinks.pop();
    if (sink !== undefined) {
      if (place[sink] === -1) remove(sink, last--);
      continue;
    }
    const source = sources.pop();
    if (source !== undefined) {
      if (place[source] === -1) remove(source, first++);
      continue;
    }
    let best = -1;
    for (let node = 0; node < count; node += 1) {
      if (place[node] !== -1) continue;
      if (best === -1 || surplus(node) > surplus(best)) best = node;
    }
    remove(best, first++);
  }
  function surplus(node: number): number {
    return (outDegree[node] ?? 0) - (inDegree[node] ?? 0);
  }
  const turned = new Set<number>();
  edges.forEach(([source, target], index) => {
    if ((place[source] ?? 0) > (place[target] ?? 0)) turned.add(index);
  });
  return turned;
}

/** Layers of a graph without cycles, from 0; more than `most` are squeezed into that many. */
export function longestPathLayers({ count, edges }: Graph, most: number): number[] {
  const out = Array.from({ length: count }, (): number[] => []);
  const waiting = new Int32Array(count);
  for (const [source, target] of edges) {
    if (source === target) continue;
    out[source]?.push(target);
    waiting[target] = (waiting[target] ?? 0) + 1;
  }
  const layers = Array.from({ length: count }, () => 0);
  const ready: number[] = [];
  for (let node = 0; node < count; node += 1) if (waiting[node] === 0) ready.push(node);
  const order: number[] = [];
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    order.push(node);
    for (const other of out[node] ?? []) {
      layers[other] = Math.max(layers[other] ?? 0, (layers[node] ?? 0) + 1);
      waiting[other] = (waiting[other] ?? 0) - 1;
      if (waiting[other] === 0) ready.push(other);
    }
  }
  // A node that nothing points to stands just before the first that it points to.
  const hasSource = new Set(edges.filter(([source, target]) => source !== target).map(([, target]) => target));
  for (const node of order.reverse()) {
    const next = (out[node] ?? []).map((other) => layers[other] ?? 0);
    if (!hasSource.has(node) && next.length > 0) layers[node] = Math.min(...next) - 1;
  }
  const deepest = layers.reduce((a, b) => Math.max(a, b), 0);
  return deepest < most ? layers : layers.map((layer) => Math.floor((layer * most) / (deepest + 1)));
}
