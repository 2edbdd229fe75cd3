// Dots that run along the lines that stand out, in the direction of the connection.
import { useEffect, type RefObject } from 'react';
import type { Camera, Size } from './draw/camera';
import type { Geometry } from './draw/geometry';
import type { Emphasis } from './draw/paint';
import type { Palette } from './draw/palette';
import { prepared } from './useSurface';

/** With more lines than this, movement would only confuse. */
const mostLinks = 120;
const gap = 22;
const pixelsPerSecond = 46;

export function useFlow(canvas: RefObject<HTMLCanvasElement | null>, geometry: Geometry, strong: Emphasis | undefined, camera: Camera | undefined, size: Size, palette: Palette): void {
  useEffect(() => {
    const element = canvas.current;
    if (!element || !camera || size.width === 0) return;
    const curves = strong ? geometry.curves.filter((curve) => strong.links.has(curve.link.id)) : [];
    const isStill = curves.length === 0 || curves.length > mostLinks || matchMedia('(prefers-reduced-motion: reduce)').matches;
    let frame = 0;
    const draw = (now: number) => {
      const context = prepared(element, size);
      if (!context || isStill) return;
      context.scale(camera.scale, camera.scale);
      context.translate(-camera.x, -camera.y);
      context.lineCap = 'round';
      context.setLineDash([0.01, gap]);
      context.lineDashOffset = -((now / 1000) * pixelsPerSecond) % gap;
      for (const curve of curves) {
        context.beginPath();
        context.moveTo(curve.start.x, curve.start.y);
        for (const { control1, control2, end } of curve.segments) context.bezierCurveTo(control1.x, control1.y, control2.x, control2.y, end.x, end.y);
        context.strokeStyle = curve.link.failed > 0 ? palette.failed : palette.brand;
        context.lineWidth = 5.5;
        context.stroke();
      }
      // Lines run behind boxes, and so do the dots.
      for (const box of geometry.picture.boxes) {
        const rect = geometry.rects[box.id];
        if (rect && !(box.kind === 'group' && box.open)) context.clearRect(rect.x, rect.y, rect.width, rect.height);
      }
      frame = requestAnimationFrame(draw);
    };
    frame = requestAnimationFrame(draw);
    return () => cancelAnimationFrame(frame);
  }, [canvas, geometry, strong, camera, size, palette]);
}
