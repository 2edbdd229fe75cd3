// Draws into the text of an SVG document.
import type { Point, Rect } from '../layout/types';
import type { Segment } from './geometry';
import { glyphs, type Glyph } from './glyphs';
import { fitted, fontFamily, type Stroke, type Surface, type TextStyle } from './surface';

/** Measures text; the canvas does it in the browser. */
type Measure = (text: string, size: number, bold: boolean) => number;

export class SvgSurface implements Surface {
  private readonly parts: string[] = [];
  private readonly measure: Measure;

  constructor(measure: Measure) {
    this.measure = measure;
  }

  /** The whole document, which shows this part of the picture. */
  document(view: Rect, background: string, title: string): string {
    const frame = [view.x, view.y, view.width, view.height].map(number).join(' ');
    return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="${frame}" width="${number(view.width)}" height="${number(view.height)}" font-family="${escaped(fontFamily)}">
<title>${escaped(title)}</title>
<rect x="${number(view.x)}" y="${number(view.y)}" width="${number(view.width)}" height="${number(view.height)}" fill="${background}"/>
${this.parts.join('\n')}
</svg>
`;
  }

  faded(opacity: number, paint: () => void): void {
    this.parts.push(`<g opacity="${number(opacity)}">`);
    paint();
    this.parts.push('</g>');
  }

  box(rect: Rect, radius: number, fill: string | undefined, stroke?: Stroke): void {
    this.parts.push(`<rect x="${number(rect.x)}" y="${number(rect.y)}" width="${number(rect.width)}" height="${number(rect.height)}" rx="${number(radius)}" fill="${fill ?? 'none'}"${strokeOf(stroke)}/>`);
  }

  line(start: Point, segments: readonly Segment[], stroke: Stroke): void {
    const path = segments.map(({ control1, control2, end }) => `C${pair(control1)} ${pair(control2)} ${pair(end)}`).join('');
    this.parts.push(`<path d="M${pair(start)}${path}" fill="none"${strokeOf(stroke)}/>`);
  }

  polygon(points: readonly Point[], fill: string): void {
    this.parts.push(`<polygon points="${points.map(pair).join(' ')}" fill="${fill}"/>`);
  }

  text(text: string, x: number, y: number, { size, colour, bold = false, align = 'left', most }: TextStyle): void {
    const shown = fitted(text, most, (part) => this.measure(part, size, bold));
    const anchor = { left: 'start', right: 'end', middle: 'middle' }[align];
    this.parts.push(`<text x="${number(x)}" y="${number(y)}" font-size="${number(size)}"${bold ? ' font-weight="600"' : ''} fill="${colour}" text-anchor="${anchor}" dominant-baseline="central">${escaped(shown)}</text>`);
  }

  glyph(glyph: Glyph, x: number, y: number, size: number, colour: string): void {
    this.parts.push(`<path transform="translate(${number(x)} ${number(y)}) scale(${number(size / 16)})" d="${glyphs[glyph]}" fill="${colour}" fill-rule="evenodd"/>`);
  }

  width(text: string, size: number, bold: boolean): number {
    return this.measure(text, size, bold);
  }
}

function strokeOf(stroke: Stroke | undefined): string {
  if (!stroke) return '';
  return ` stroke="${stroke.colour}" stroke-width="${number(stroke.width)}"${stroke.dash ? ` stroke-dasharray="${stroke.dash.map(number).join(' ')}"` : ''}`;
}

function number(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function pair(point: Point): string {
  return `${number(point.x)} ${number(point.y)}`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
