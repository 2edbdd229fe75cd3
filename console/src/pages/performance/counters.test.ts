import { expect, test } from 'vitest';
import { chartQuery, chartsOf, counterOf, firstChoice, keyOf, stepMinutes, valuesPath } from './counters';

const counter = (object: string, name: string, instance: string) => ({ object, counter: name, instance, last: 1 });

test('a counter survives the address, whatever is in its name', () => {
  const odd = { object: 'Logical/Disk', counter: '% Used, Space', instance: '/var/lib "x"' };
  expect(counterOf(keyOf(odd))).toEqual(odd);
});

test('instances of one counter share a chart', () => {
  const keys = [counter('Logical Disk', '% Used Space', '/'), counter('Memory', '% Used Memory', ''), counter('Logical Disk', '% Used Space', '/var')].map(keyOf);
  expect(chartsOf(keys).map((chart) => [chart.counter, chart.instances])).toEqual([['% Used Space', ['/', '/var']], ['% Used Memory', ['']]]);
});

test('a query names computers and instances as literals', () => {
  const [chart] = chartsOf([keyOf(counter('Logical Disk', '% Used Space', 'C:\\"x"'))]);
  expect(chart).toBeDefined();
  const query = chart ? chartQuery(chart, ['a', 'b'], 5) : '';
  expect(query).toContain('in~ ("a", "b")');
  expect(query).toContain('"C:\\\\\\"x\\""');
  expect(query).toContain('bin(TimeGenerated, 5m)');
});

test('the values of a chart are asked for with its instances, whatever is in their names', () => {
  const [chart] = chartsOf(['/', 'a&b'].map((instance) => keyOf(counter('Logical Disk', '% Used Space', instance))));
  const address = new URL(chart ? valuesPath('one/two', chart, 'PT1H', 5) : '', 'https://here');
  expect(address.pathname).toBe('/api/objects/one%2Ftwo/performance/values');
  expect([...address.searchParams]).toEqual([['timespan', 'PT1H'], ['object', 'Logical Disk'], ['counter', '% Used Space'], ['minutes', '5'], ['instance', '/'], ['instance', 'a&b']]);
});

test('a longer range has wider steps', () => {
  expect([3_600_000, 12 * 3_600_000, 7 * 86_400_000, undefined].map(stepMinutes)).toEqual([1, 2, 30, 5]);
});

test('what everyone looks at is drawn first, and something in any case', () => {
  expect(firstChoice([counter('Processor', '% Processor Time', '0'), counter('Processor', '% Processor Time', '_Total')])).toEqual([keyOf(counter('Processor', '% Processor Time', '_Total'))]);
  expect(firstChoice([counter('Tank', 'Level', 'a'), counter('Tank', 'Level', 'b')])).toEqual([keyOf(counter('Tank', 'Level', 'a'))]);
  expect(firstChoice([])).toEqual([]);
});
