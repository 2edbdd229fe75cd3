// Where the screen looks: zoom and shift.
import type { Point, Rect } from '../layout/types';

export interface Camera {
  /** The picture's point in the screen's upper left corner. */
  x: number;
  y: number;
  scale: number;
}

export interface Size {
  width: number;
  height: number;
}

const leastScale = 0.03;
const mostScale = 3;
const margin = 36;

/** All of it, but not larger than it reads well. */
export function fit(bounds: Rect, screen: Size): Camera {
  const scale = Math.max(leastScale, Math.min(1.15, (screen.width - 2 * margin) / Math.max(1, bounds.width), (screen.height - 2 * margin) / Math.max(1, bounds.height)));
  return { scale, x: bounds.x + bounds.width / 2 - screen.width / scale / 2, y: bounds.y + bounds.height / 2 - screen.height / scale / 2 };
}

/** Nearer or farther while one point of the screen stays where it is. */
export function zoomed(camera: Camera, factor: number, at: Point): Camera {
  const scale = Math.max(leastScale, Math.min(mostScale, camera.scale * factor));
  const point = toPicture(camera, at);
  return { scale, x: point.x - at.x / scale, y: point.y - at.y / scale };
}

export function toPicture(camera: Camera, point: Point): Point {
  return { x: camera.x + point.x / camera.scale, y: camera.y + point.y / camera.scale };
}

export function viewOfCamera(camera: Camera, screen: Size): Rect {
  return { x: camera.x, y: camera.y, width: screen.width / camera.scale, height: screen.height / camera.scale };
}

/** Moved just so far that a rectangle is seen whole; as it is where it is seen already. */
export function revealing(camera: Camera, rect: Rect, screen: Size): Camera {
  const view = viewOfCamera(camera, screen);
  const space = 24 / camera.scale;
  const shift = (low: number, length: number, start: number, room: number) => {
    if (low - space < start) return low - space - start;
    if (low + length + space > start + room) return Math.min(low - space - start, low + length + space - start - room);
    return 0;
  };
  return { ...camera, x: camera.x + shift(rect.x, rect.width, view.x, view.width), y: camera.y + shift(rect.y, rect.height, view.y, view.height) };
}
