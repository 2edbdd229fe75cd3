// What goes into a layout and what comes out. Lengths are in the picture's own units: pixels at 100 %.

export interface LayoutNode {
  id: string;
  width: number;
  height: number;
  /** Where it belongs: clients in the first layer, servers outside in the last. */
  side?: 'first' | 'last';
  /** The opened group that holds it. */
  parent?: string;
  /** Its middle in the picture before this one, so that a new picture looks like the old one. */
  before?: number;
}

export interface LayoutEdge {
  source: string;
  target: string;
  weight: number;
}

export interface LayoutInput {
  nodes: LayoutNode[];
  edges: LayoutEdge[];
  /** Places that a person chose. */
  pins: Record<string, Point>;
  /** Around what an opened group holds, and above it. */
  padding: number;
  head: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface Rect extends Point {
  width: number;
  height: number;
}

export interface LayoutResult {
  /** Each node's place; opened groups get the size that their members need. */
  rects: Record<string, Rect>;
  /** By index of the edge: points between its ends, left to right as the edge runs. */
  routes: Record<number, Point[]>;
}
