// Draws on a canvas.
import type { Point, Rect } from '../layout/types';
import type { Segment } from './geometry';
import { glyphs, type Glyph } from './glyphs';
import { fitted, font, type Stroke, type Surface, type TextStyle } from './surface';

const outlines = new Map<Glyph, Path2D>();
const widths = new Map<string, number>();
const mostWidths = 20_000;

export class CanvasSurface implements Surface {
  private readonly context: CanvasRenderingContext2D;

  constructor(context: CanvasRenderingContext2D) {
    this.context = context;
    context.textBaseline = 'middle';
    context.lineJoin = 'round';
  }

  faded(opacity: number, paint: () => void): void {
    const was = this.context.globalAlpha;
    this.context.globalAlpha = was * opacity;
    paint();
    this.context.globalAlpha = was;
  }

  box(rect: Rect, radius: number, fill: string | undefined, stroke?: Stroke): void {
    const { context } = this;
    context.beginPath();
    context.roundRect(rect.x, rect.y, rect.width, rect.height, radius);
    if (fill !== undefined) {
      context.fillStyle = fill;
      context.fill();
    }
    if (stroke) this.stroke(stroke);
  }

  line(start: Point, segments: readonly Segment[], stroke: Stroke): void {
    const { context } = this;
    context.beginPath();
    context.moveTo(start.x, start.y);
    for (const { control1, control2, end } of segments) context.bezierCurveTo(control1.x, control1.y, control2.x, control2.y, end.x, end.y);
    this.stroke(stroke);
  }

  polygon(points: readonly Point[], fill: string): void {
    const { context } = this;
    context.beginPath();
    points.forEach((point, at) => (at === 0 ? context.moveTo(point.x, point.y) : context.lineTo(point.x, point.y)));
    context.closePath();
    context.fillStyle = fill;
    context.fill();
  }

  text(text: string, x: number, y: number, { size, colour, bold = false, align = 'left', most }: TextStyle): void {
    const { context } = this;
    context.font = font(size, bold);
    context.fillStyle = colour;
    context.textAlign = align === 'middle' ? 'center' : align;
    context.fillText(fitted(text, most, (part) => this.width(part, size, bold)), x, y);
  }

  glyph(glyph: Glyph, x: number, y: number, size: number, colour: string): void {
    const { context } = this;
    let outline = outlines.get(glyph);
    if (!outline) {
      outline = new Path2D(glyphs[glyph]);
      outlines.set(glyph, outline);
    }
    context.save();
    context.translate(x, y);
    context.scale(size / 16, size / 16);
    context.fillStyle = colour;
    context.fill(outline, 'evenodd');
    context.restore();
  }

  width(text: string, size: number, bold: boolean): number {
    const key = `${size} ${bold ? 'b' : ''} ${text}`;
    const known = widths.get(key);
    if (known !== undefined) return known;
    this.context.font = font(size, bold);
    const { width } = this.context.measureText(text);
    if (widths.size > mostWidths) widths.clear();
    widths.set(key, width);
    return width;
  }

  private stroke({ colour, width, dash }: Stroke): void {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(dash ? [...dash] : []);
    context.stroke();
  }
}
