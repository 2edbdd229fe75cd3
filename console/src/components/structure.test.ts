import { describe, expect, it } from 'vitest';
import { structureOfJson, structureOfXml, type Node } from './structure';

const leaf = (name: string, text: string): Node => ({ name, text, children: [] });
const node = (name: string, ...children: Node[]): Node => ({ name, text: '', children });

describe('the structure of a value', () => {
  it('makes tables of lists of objects and facts of the rest', () => {
    const value = { Computer: 'db-01', tags: ['a', 'b'], inner: { deep: 1, none: null }, disks: [{ name: 'sda', size: { total: 5 } }, { name: 'sdb', free: 2, of: [1, 2] }] };
    expect(structureOfJson(value)).toEqual({
      facts: [['Computer', 'db-01'], ['tags', 'a, b'], ['inner.deep', '1'], ['inner.none', '']],
      tables: [{ title: 'disks', columns: ['name', 'size.total', 'free', 'of'], rows: [['sda', '5', '', ''], ['sdb', '', '2', '1, 2']] }],
    });
    expect(structureOfJson([{ a: 1 }, { a: 2 }])?.tables).toEqual([{ title: '', columns: ['a'], rows: [['1'], ['2']] }]);
    expect(structureOfJson([1, 'x'])?.facts).toEqual([['Values', '1, x']]);
    expect(structureOfJson([[1], { a: 2 }])?.facts).toEqual([['[0]', '1'], ['[1].a', '2']]);
    expect(structureOfJson('text')).toBeUndefined();
  });
  it('makes a table of elements that come several times', () => {
    const item = node('DataItem', leaf('Value', '5'), node('Samples', node('Sample', leaf('Time', '1'), leaf('Value', '2')), node('Sample', leaf('Time', '3'), node('More', leaf('Unit', 'B')))), leaf('Tag', 'x'), leaf('Tag', ''), leaf('Tag', 'y'), node('One', leaf('Deep', 'd')));
    expect(structureOfXml(item)).toEqual({
      facts: [['Value', '5'], ['Tag', 'x, y'], ['Deep', 'd']],
      tables: [{ title: 'Sample', columns: ['Time', 'Value', 'Unit'], rows: [['1', '2', ''], ['3', '', 'B']] }],
    });
  });
});
