// The map as a picture file: all of it, at full size, whatever the screen shows.
import type { Rect } from '../layout/types';
import { CanvasSurface } from './canvasSurface';
import type { Geometry } from './geometry';
import { paint, type Look } from './paint';
import type { Surface } from './surface';
import { SvgSurface } from './svgSurface';

const margin = 40;

/** Browsers refuse canvases that are larger than this on a side. */
const mostPixels = 14_000;

type FileLook = Omit<Look, 'view' | 'scale' | 'strong' | 'selected'>;

function drawAll(surface: Surface, geometry: Geometry, look: FileLook, view: Rect): void {
  paint(surface, geometry, { ...look, view, scale: 1, strong: undefined, selected: undefined });
}

function wholeView({ bounds }: Geometry): Rect {
  return { x: bounds.x - margin, y: bounds.y - margin, width: bounds.width + 2 * margin, height: bounds.height + 2 * margin };
}

export function svgOf(geometry: Geometry, look: FileLook, title: string): string {
  const context = document.createElement('canvas').getContext('2d');
  const ruler = context && new CanvasSurface(context);
  const surface = new SvgSurface((text, size, bold) => ruler?.width(text, size, bold) ?? text.length * size * 0.55);
  const view = wholeView(geometry);
  drawAll(surface, geometry, look, view);
  return surface.document(view, look.palette.background, title);
}

export async function pngOf(geometry: Geometry, look: FileLook): Promise<Blob> {
  const view = wholeView(geometry);
  const scale = Math.min(2, mostPixels / view.width, mostPixels / view.height);
  const canvas = document.createElement('canvas');
  canvas.width = Math.ceil(view.width * scale);
  canvas.height = Math.ceil(view.height * scale);
  const context = canvas.getContext('2d');
  if (!context) throw new Error('the browser gave no canvas to draw the picture on');
  context.scale(scale, scale);
  context.translate(-view.x, -view.y);
  context.fillStyle = look.palette.background;
  context.fillRect(view.x, view.y, view.width, view.height);
  drawAll(new CanvasSurface(context), geometry, look, view);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the picture is too large for this browser: draw less, or save it as SVG'))), 'image/png'));
}

/** Hands a file to the person. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
