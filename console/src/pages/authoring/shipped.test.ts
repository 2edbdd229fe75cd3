import { expect, test } from 'vitest';
import { compareVersions, offers, shippedStatus } from './shipped';

const pack = (version: string, importedVersion: string | null) => ({ id: 'P', name: 'P', description: null, version, importedVersion });

test('versions are compared number by number, not as text', () => {
  expect(compareVersions('1.0.9.0', '1.0.10.0')).toBeLessThan(0);
  expect(compareVersions('1.0', '1.0.0.0')).toBe(0);
  expect(compareVersions('2.0.0.0', '1.9.9.9')).toBeGreaterThan(0);
});

test('a shipped pack is offered, imported, newer or behind', () => {
  expect(shippedStatus(pack('1.0.1.0', null))).toBe('offered');
  expect(shippedStatus(pack('1.0.1.0', '1.0.1.0'))).toBe('imported');
  expect(shippedStatus(pack('1.0.10.0', '1.0.9.0'))).toBe('newer');
  expect(shippedStatus(pack('1.0.1.0', '1.1.0.0'))).toBe('ahead');
  expect([pack('1.0.1.0', null), pack('1.0.1.0', '1.0.1.0'), pack('1.0.2.0', '1.0.1.0')].map(offers)).toEqual([true, false, true]);
});
