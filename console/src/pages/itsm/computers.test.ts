import { describe, expect, it } from 'vitest';
import { machineFinder, workItemCounts } from './computers';

const machines = [
  { id: '1', name: 'web1', fullName: 'web1' },
  { id: '2', name: 'db1', fullName: 'DB1.example.com', workItems: 3 },
  { id: '3', name: 'app', fullName: 'app.one.example' },
  { id: '4', name: 'app', fullName: 'app.two.example' },
];

describe('the machine of a computer’s name', () => {
  const find = machineFinder(machines);
  it('is found by its full or short name, and never taken for another', () => {
    for (const [computer, id] of [['WEB1', '1'], ['web1.example.com', '1'], ['db1', '2'], ['db1.EXAMPLE.com', '2'], ['db1.elsewhere.example', undefined], ['app.two.example', '4'], ['app.three.example', undefined], ['', undefined], ['unknown', undefined]] as const) {
      expect(find(computer), computer).toBe(id);
    }
  });
});

describe('the work items of a machine', () => {
  it('are counted once, whether the desk or an alert names them', () => {
    const counts = workItemCounts(machines, [{ id: 'INC1', computer: 'web1' }, { id: 'INC2', computer: 'web1' }, { id: 'INC9', computer: 'elsewhere' }], [{ ticketId: 'INC2', computer: 'web1' }, { ticketId: 'INC3', computer: 'web1' }, { ticketId: '', computer: 'web1' }]);
    expect(counts.get('1')).toBe(3);
    expect(counts.get('2')).toBe(3);
    expect(counts.get('3')).toBe(0);
  });
});
