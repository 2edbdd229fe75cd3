import { describe, expect, it } from 'vitest';
import { bounds, cameOrWentQuery, connectorLogQuery, listQuery, openItemsQuery, stepOf } from './queries';

describe('the queries of service desks', () => {
  it('list what a bar counts, whatever is in its name', () => {
    expect(listQuery({ state: 'On "Hold"', type: 'Incident', open: true })).toContain('| where ServiceDeskWorkItemType_s == "Incident" and State == "On \\"Hold\\"" and IsOpen\n');
    expect(listQuery()).not.toContain('| where ServiceDeskWorkItemType_s');
  });
  it('take known and custom ranges', () => {
    expect(bounds('P30D')).toEqual({ from: 'ago(43200m)', to: 'now()' });
    expect(bounds('P1DT2H')).toEqual({ from: 'ago(1560m)', to: 'now()' });
    expect(bounds('2026-01-01T00:00:00Z/2026-01-02T00:00:00Z')).toEqual({ from: 'datetime(2026-01-01T00:00:00Z)', to: 'datetime(2026-01-02T00:00:00Z)' });
  });
  it('open the log of all connections, of one, or its errors', () => {
    expect(connectorLogQuery()).toBe('ServiceDeskLog_CL\n| sort by TimeGenerated desc');
    expect(connectorLogQuery('a"b', true)).toBe('ServiceDeskLog_CL\n| where ServiceDeskConnectionName_s == "a\\"b" and LogType_s == "Error"\n| sort by TimeGenerated desc');
  });
  it('ask for the names of one machine', () => {
    expect(openItemsQuery(['Desk'], ['web1', 'web1.example.com'])).toContain('IsOpen and Computer in~ ("web1", "web1.example.com") and ServiceDeskConnectionName_s in ("Desk")');
    expect(openItemsQuery(['Desk'], ['web1'])).toContain('IsOpen and (Computer in~ ("web1") or Computer startswith "web1.") and');
  });
  it('list one step of the time chart, an hour or a day long', () => {
    expect(cameOrWentQuery({ from: 'datetime(a)', to: 'datetime(b)' })).toContain('| where (Opened >= datetime(a) and Opened < datetime(b)) or (Done >= datetime(a) and Done < datetime(b))');
    expect([stepOf('P1D').kql, stepOf('P30D').kql, stepOf('2026-01-01T00:00:00Z/2026-01-02T00:00:00Z').kql]).toEqual(['1h', '1d', '1h']);
  });
});
