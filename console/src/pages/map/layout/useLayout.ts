// The layout of a picture, computed by the worker; the last one stays until the next is there.
import { useEffect, useRef, useState } from 'react';
import { sizes, type Picture } from '../graph/picture';
import type { LayoutInput, LayoutResult, Point } from './types';
import type { LayoutAnswer, LayoutRequest } from './worker';

export interface Placed {
  picture: Picture;
  layout: LayoutResult;
  /** How long the worker took. */
  milliseconds: number;
}

/** What the layout needs to know of a picture. */
export function layoutInput(picture: Picture, pins: Readonly<Record<string, Point>>, before: LayoutResult | undefined): LayoutInput {
  return {
    nodes: picture.boxes.map((box) => {
      const was = before?.rects[box.id];
      return {
        id: box.id, width: box.width, height: box.height,
        ...(box.kind === 'clients' ? { side: 'first' as const } : box.kind === 'servers' ? { side: 'last' as const } : {}),
        ...(box.parent === undefined ? {} : { parent: box.parent }),
        ...(was ? { before: was.y + was.height / 2 } : {}),
      };
    }),
    edges: picture.links.map((link) => ({ source: link.source.box, target: link.target.box, weight: link.edges.length })),
    pins: { ...pins },
    padding: sizes.groupPadding,
    head: sizes.groupHead,
  };
}

export function useLayout(picture: Picture | undefined, pins: Readonly<Record<string, Point>>): { placed: Placed | undefined; error: string | undefined } {
  const [placed, setPlaced] = useState<Placed>();
  const [error, setError] = useState<string>();
  const worker = useRef<Worker>();
  const asked = useRef(new Map<number, Picture>());
  const sequence = useRef(0);
  const last = useRef<LayoutResult>();
  useEffect(() => {
    const waiting = asked.current;
    const thread = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    thread.onmessage = (event: MessageEvent<LayoutAnswer>) => {
      const of = waiting.get(event.data.sequence);
      waiting.delete(event.data.sequence);
      // A newer picture has been asked for: its answer comes.
      if (!of || event.data.sequence !== sequence.current) return;
      last.current = event.data.result;
      setPlaced({ picture: of, layout: event.data.result, milliseconds: event.data.milliseconds });
    };
    thread.onerror = (event) => setError(event.message || 'the layout could not be computed');
    worker.current = thread;
    return () => {
      thread.terminate();
      worker.current = undefined;
      waiting.clear();
    };
  }, []);
  useEffect(() => {
    if (!picture || !worker.current) return;
    sequence.current += 1;
    asked.current.set(sequence.current, picture);
    const message: LayoutRequest = { sequence: sequence.current, input: layoutInput(picture, pins, last.current) };
    worker.current.postMessage(message);
  }, [picture, pins]);
  return { placed, error };
}
