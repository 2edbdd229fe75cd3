// What stands out with a thing: a box with everything it is connected to, a line with its two ends.
import type { Geometry } from './geometry';
import type { Emphasis } from './paint';

export function emphasisOf(geometry: Geometry, id: string | undefined): Emphasis | undefined {
  if (id === undefined) return undefined;
  const boxes = new Set<string>();
  const rows = new Set<string>();
  const links = new Set<string>();
  const inside = new Set(geometry.picture.boxes.filter((box) => box.parent === id).map((box) => box.id));
  for (const { link } of geometry.picture.links.length > 0 ? geometry.curves : []) {
    const ends = [link.source, link.target];
    if (link.id !== id && !ends.some((end) => end.box === id || end.row === id || inside.has(end.box))) continue;
    links.add(link.id);
    for (const end of ends) {
      boxes.add(end.box);
      if (end.row !== undefined) rows.add(end.row);
    }
  }
  const own = geometry.picture.boxes.find((box) => box.id === id || box.rows.some((row) => row.id === id));
  if (!own && links.size === 0) return undefined;
  if (own) boxes.add(own.id);
  for (const box of inside) boxes.add(box);
  return { boxes, rows, links };
}
