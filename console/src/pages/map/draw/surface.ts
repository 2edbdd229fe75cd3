// What the painter draws on: the screen's canvas, a picture file's canvas, or an SVG document.
import type { Point, Rect } from '../layout/types';
import type { Segment } from './geometry';
import type { Glyph } from './glyphs';

export interface Stroke {
  colour: string;
  width: number;
  dash?: readonly number[];
}

export interface TextStyle {
  size: number;
  colour: string;
  bold?: boolean;
  align?: 'left' | 'right' | 'middle';
  /** Longer text ends in an ellipsis. */
  most?: number;
}

export interface Surface {
  /** What is drawn inside has this opacity. */
  faded(opacity: number, paint: () => void): void;
  box(rect: Rect, radius: number, fill: string | undefined, stroke?: Stroke): void;
  line(start: Point, segments: readonly Segment[], stroke: Stroke): void;
  polygon(points: readonly Point[], fill: string): void;
  /** `y` is the middle of the line of text. */
  text(text: string, x: number, y: number, style: TextStyle): void;
  glyph(glyph: Glyph, x: number, y: number, size: number, colour: string): void;
  width(text: string, size: number, bold: boolean): number;
}

export const fontFamily = "'Segoe UI', 'Segoe UI Web (West European)', -apple-system, BlinkMacSystemFont, Roboto, 'Helvetica Neue', sans-serif";

export function font(size: number, bold: boolean): string {
  return `${bold ? 600 : 400} ${size}px ${fontFamily}`;
}

/** The longest beginning of a text that fits, with an ellipsis where something is missing. */
export function fitted(text: string, most: number | undefined, width: (text: string) => number): string {
  if (most === undefined || width(text) <= most) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (width(`${text.slice(0, middle)}…`) <= most) low = middle;
    else high = middle - 1;
  }
  return low === 0 ? '' : `${text.slice(0, low)}…`;
}
