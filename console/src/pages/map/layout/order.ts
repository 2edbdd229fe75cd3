// The order of nodes within layers: barycentre sweeps that keep the order with the fewest crossings.

/** Neighbours of each node in the layer before and after, by index over all layers. */
export interface Neighbours {
  before: number[][];
  after: number[][];
}

/** So many pairs of sweeps; later ones hardly change anything. */
const sweeps = 8;

/** Sorts each layer in place so that few edges cross. */
export function orderLayers(layers: number[][], { before, after }: Neighbours): void {
  const count = before.length;
  const position = new Float64Array(count);
  const place = () => {
    for (const layer of layers) layer.forEach((node, index) => { position[node] = index; });
  };
  place();
  let best = layers.map((layer) => [...layer]);
  let fewest = crossings(layers, after, position);
  for (let sweep = 0; sweep < sweeps && fewest > 0; sweep += 1) {
    for (let at = 1; at < layers.length; at += 1) sortByBarycentre(layers[at], before, position);
    for (let at = layers.length - 2; at >= 0; at -= 1) sortByBarycentre(layers[at], after, position);
    const crossed = crossings(layers, after, position);
    if (crossed < fewest) {
      fewest = crossed;
      best = layers.map((layer) => [...layer]);
    }
  }
  best.forEach((order, at) => { layers[at] = order; });
}

function sortByBarycentre(layer: number[] | undefined, neighbours: number[][], position: Float64Array): void {
  if (!layer || layer.length < 2) return;
  const key = new Map<number, number>();
  layer.forEach((node, index) => {
    const others = neighbours[node] ?? [];
    let sum = 0;
    for (const other of others) sum += position[other] ?? 0;
    key.set(node, others.length === 0 ? index : sum / others.length);
  });
  // Sorting is stable: equal ones keep their order.
  layer.sort((a, b) => (key.get(a) ?? 0) - (key.get(b) ?? 0));
  layer.forEach((node, index) => { position[node] = index; });
}

/** How many pairs of edges between neighbouring layers cross: inversions, counted with a Fenwick tree. */
export function crossings(layers: readonly (readonly number[])[], after: readonly (readonly number[])[], position: Float64Array): number {
  let crossed = 0;
  for (let at = 0; at + 1 < layers.length; at += 1) {
    const width = layers[at + 1]?.length ?? 0;
    const tree = new Int32Array(width + 1);
    let seen = 0;
    for (const node of layers[at] ?? []) {
      const targets = (after[node] ?? []).map((other) => position[other] ?? 0).sort((a, b) => a - b);
      for (const target of targets) crossed += seen - sumUpTo(tree, target);
      for (const target of targets) {
        addAt(tree, target);
        seen += 1;
      }
    }
  }
  return crossed;
}

function addAt(tree: Int32Array, index: number): void {
  for (let at = index + 1; at < tree.length; at += at & -at) tree[at] = (tree[at] ?? 0) + 1;
}

/** How many were added at this index or before it. */
function sumUpTo(tree: Int32Array, index: number): number {
  let sum = 0;
  for (let at = index + 1; at > 0; at -= at & -at) sum += tree[at] ?? 0;
  return sum;
}
