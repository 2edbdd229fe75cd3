import { describe, expect, it } from 'vitest';
import { changed } from './pins';

describe('pins', () => {
  it('begin with what everybody sees, and are one’s own from the first change on', () => {
    const everybody = { own: false, shared: true, mayShare: false, pins: { web: { x: 1, y: 2 }, db: { x: 3, y: 4 } } };
    expect(changed(everybody, { db: { x: 5, y: 6 } })).toEqual({ ...everybody, own: true, pins: { web: { x: 1, y: 2 }, db: { x: 5, y: 6 } } });
    expect(changed(everybody, { web: null, db: null })).toEqual({ ...everybody, own: true, pins: {} });
  });
});
