import { describe, expect, it } from 'vitest';
import { scopeWords } from '../../api/permissions';
import { actionParts, browserWords, ending, leftWords, linesOf, meansSomething } from './words';

const day = 86_400;

describe('what ends', () => {
  it('is marked 30 and 3 days ahead, and said to have ended', () => {
    expect([31, 30, 4, 3, 0, -1].map((days) => ending(days * day, 0))).toEqual(['in time', 'soon', 'soon', 'very soon', 'ended', 'ended']);
    expect([40 * day, day + 1, day - 1, 0].map((at) => leftWords(at, 0))).toEqual(['40 days', '1 day', 'less than a day', 'ended']);
  });
});

describe('a browser', () => {
  it('is called as people call it', () => {
    expect(browserWords('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/130.0.0.0 Safari/537.36')).toBe('Chrome 130 on Linux');
    expect(browserWords('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0')).toBe('Edge 130 on Windows');
    expect(browserWords('Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.1 Safari/605.1.15')).toBe('Safari 17 on macOS');
    expect([browserWords('curl/8.5.0'), browserWords('')]).toEqual(['curl/8.5.0', 'unknown']);
  });
});

describe('an action', () => {
  it('has an area and what is done there', () => {
    expect(actionParts('Microsoft.OperationalInsights/workspaces/savedSearches/write')).toEqual({ area: 'Microsoft.OperationalInsights/workspaces', what: 'savedSearches/write' });
    expect(actionParts('Microsoft.Authorization/users/read')).toEqual({ area: 'Microsoft.Authorization', what: 'users/read' });
  });
});

describe('lines', () => {
  it('are taken without what surrounds them', () => {
    expect(linesOf(' */read \n\n a/b \n')).toEqual(['*/read', 'a/b']);
  });
});

describe('a place', () => {
  const places = [{ scope: '/', kind: 'tenant' as const, name: '', givers: [] }, { scope: '/managementGroups/Main', kind: 'managementGroup' as const, name: 'Main', givers: [] }];
  it('is said in words, parts of it too', () => {
    expect(['/', '/managementGroups/Main', '/managementGroups/Main/groups/2b1e', '/workspaces/w/tables/Perf', '/other'].map((scope) => scopeWords(scope, places)))
      .toEqual(['the tenant', 'the management group Main', 'one group of the management group Main', 'the table Perf', '/other']);
  });
});

describe('a role at a place', () => {
  const action = (name: `Watchkeeper/${string}/read` | `Microsoft.${string}/read`, scope: string) => ({ name, scope, allowed: true, roles: [] });
  const actions = [action('Microsoft.OperationalInsights/workspaces/query/read', '/workspaces/w'), action('Watchkeeper/managementGroups/objects/read', '/managementGroups/m')];
  const role = (allowed: string[], more = {}) => ({ id: '1', name: 'r', description: '', builtIn: false, actions: allowed, notActions: [], dataActions: [], notDataActions: [], assignableScopes: ['/'], ...more });
  it('means something where its actions are asked for', () => {
    const operator = role(['Watchkeeper/managementGroups/*']);
    expect(['/', '/managementGroups/m', '/workspaces/w', '/workspaces/w/tables/T'].map((scope) => meansSomething(operator, scope, actions))).toEqual([true, true, false, false]);
    expect(meansSomething(role(['*/READ']), '/workspaces/w/tables/T', actions)).toBe(true);
    expect(meansSomething(role(['*'], { notActions: ['*/query/read'] }), '/workspaces/w', actions)).toBe(false);
    expect(meansSomething(role([], { dataActions: ['Microsoft.Insights/Telemetry/Write'] }), '/workspaces/w', actions)).toBe(true);
  });
});
