// Boxes glide from where they were to where they go, so that the eye can follow; a dragged box is where the pointer is.
import { useEffect, useMemo, useRef, useState } from 'react';
import type { Placed } from './layout/useLayout';
import type { LayoutResult, Point, Rect } from './layout/types';

const milliseconds = 260;

/** Larger pictures change at once: the eye could not follow, and every frame would take too long. */
const mostBoxes = 400;

export function useGlide(placed: Placed, dragged: { id: string; place: Point } | undefined): { picture: Placed['picture']; layout: LayoutResult } {
  const [progress, setProgress] = useState(1);
  const from = useRef<LayoutResult>();
  const target = useRef<Placed>();
  const frame = useRef(0);
  if (target.current !== placed) {
    from.current = target.current?.layout;
    target.current = placed;
  }
  useEffect(() => {
    const isStill = !from.current || placed.picture.boxes.length > mostBoxes || matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (isStill) {
      setProgress(1);
      return;
    }
    const began = performance.now();
    const step = (now: number) => {
      const part = Math.min(1, Math.max(0, (now - began) / milliseconds));
      setProgress(1 - (1 - part) ** 3);
      if (part < 1) frame.current = requestAnimationFrame(step);
    };
    setProgress(0);
    frame.current = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame.current);
  }, [placed]);
  const start = from.current;
  return useMemo(() => {
    let { layout } = placed;
    if (progress < 1 && start) layout = between(start, layout, progress);
    if (dragged) layout = withDragged(placed, layout, dragged);
    return { picture: placed.picture, layout };
  }, [placed, start, progress, dragged]);
}

function between(start: LayoutResult, end: LayoutResult, progress: number): LayoutResult {
  const mix = (a: number, b: number) => a + (b - a) * progress;
  const rects: Record<string, Rect> = {};
  for (const [id, rect] of Object.entries(end.rects)) {
    const was = start.rects[id];
    rects[id] = was ? { ...rect, x: mix(was.x, rect.x), y: mix(was.y, rect.y) } : rect;
  }
  // Edges run straight while their boxes are under way.
  return { rects, routes: {} };
}

function withDragged({ picture }: Placed, layout: LayoutResult, { id, place }: { id: string; place: Point }): LayoutResult {
  const rect = layout.rects[id];
  if (!rect) return layout;
  const rects = { ...layout.rects, [id]: { ...rect, ...place } };
  const [dx, dy] = [place.x - rect.x, place.y - rect.y];
  const inside = new Set([id]);
  for (const box of picture.boxes) {
    const was = layout.rects[box.id];
    if (box.parent !== id || !was) continue;
    inside.add(box.id);
    rects[box.id] = { ...was, x: was.x + dx, y: was.y + dy };
  }
  const routes = Object.fromEntries(Object.entries(layout.routes).filter(([index]) => {
    const link = picture.links[Number(index)];
    return link && !inside.has(link.source.box) && !inside.has(link.target.box);
  }));
  return { rects, routes };
}
