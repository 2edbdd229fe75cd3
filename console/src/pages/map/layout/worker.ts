// The layout in a thread of its own, so that the page stays responsive whatever the size of the map.
import { layout } from './layout';
import type { LayoutInput, LayoutResult } from './types';

export interface LayoutRequest {
  sequence: number;
  input: LayoutInput;
}

export interface LayoutAnswer {
  sequence: number;
  result: LayoutResult;
  milliseconds: number;
}

self.onmessage = (event: MessageEvent<LayoutRequest>) => {
  const began = performance.now();
  const result = layout(event.data.input);
  const answer: LayoutAnswer = { sequence: event.data.sequence, result, milliseconds: performance.now() - began };
  self.postMessage(answer);
};
