// Heights of nodes within a layer: as near as possible to where each wants to be, in order, without overlap.

/**
 * The nearest positions (least squares) to `wanted` so that each is at least `gaps[i]` after the one before it.
 * With the gaps taken off this is an isotonic regression, which pooling of neighbours that violate the order solves
 * exactly in one pass.
 */
export function placeInOrder(wanted: readonly number[], gaps: readonly number[], weights: readonly number[]): number[] {
  const shifts: number[] = [];
  let shift = 0;
  wanted.forEach((_value, index) => {
    shift += index === 0 ? 0 : (gaps[index] ?? 0);
    shifts.push(shift);
  });
  const pools: { sum: number; weight: number; size: number }[] = [];
  wanted.forEach((value, index) => {
    const weight = weights[index] ?? 1;
    let pool = { sum: (value - (shifts[index] ?? 0)) * weight, weight, size: 1 };
    for (let last = pools.at(-1); last && last.sum / last.weight > pool.sum / pool.weight; last = pools.at(-1)) {
      pools.pop();
      pool = { sum: pool.sum + last.sum, weight: pool.weight + last.weight, size: pool.size + last.size };
    }
    pools.push(pool);
  });
  const placed: number[] = [];
  for (const pool of pools) {
    for (let at = 0; at < pool.size; at += 1) placed.push(pool.sum / pool.weight + (shifts[placed.length] ?? 0));
  }
  return placed;
}
