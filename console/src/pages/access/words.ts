// How access reads: times that end, browsers, actions.
import type { RoleDefinition } from '../../api/access';
import type { Permission } from '../../api/permissions';

const daySeconds = 86_400;
/** What ends so soon is marked, and sooner is marked in red: as the alerts about it. */
export const warnDays = 30;
export const urgentDays = 3;

export type Ending = 'in time' | 'soon' | 'very soon' | 'ended';

/** How near the end of a secret or certificate is; both in seconds since 1970. */
export function ending(expiresAt: number, now: number): Ending {
  const days = (expiresAt - now) / daySeconds;
  return days <= 0 ? 'ended' : days <= urgentDays ? 'very soon' : days <= warnDays ? 'soon' : 'in time';
}

export function leftWords(expiresAt: number, now: number): string {
  if (expiresAt <= now) return 'ended';
  const days = Math.floor((expiresAt - now) / daySeconds);
  return days === 0 ? 'less than a day' : days === 1 ? '1 day' : `${days} days`;
}

/** The day of a time in seconds since 1970. */
export function dayOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

/** A time of the API to the minute, in UTC. */
export function minuteOf(iso: string | null): string {
  return iso ? `${iso.slice(0, 16).replace('T', ' ')} UTC` : '';
}

const browsers: [RegExp, string][] = [[/Edg\/(\d+)/, 'Edge'], [/Firefox\/(\d+)/, 'Firefox'], [/(?:Headless)?Chrome\/(\d+)/, 'Chrome'], [/Version\/(\d+).*Safari/, 'Safari']];
const systems: [RegExp, string][] = [[/Windows/, 'Windows'], [/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Mac OS/, 'macOS'], [/Linux|X11/, 'Linux']];

/** What a browser calls itself, as a person would. */
export function browserWords(client: string): string {
  const browser = browsers.map(([pattern, name]) => [pattern.exec(client)?.[1], name] as const).find(([version]) => version !== undefined);
  if (!browser) return client || 'unknown';
  const system = systems.find(([pattern]) => pattern.test(client))?.[1];
  return `${browser[1]} ${browser[0]}${system ? ` on ${system}` : ''}`;
}

/** `savedSearches/write` of `Microsoft.OperationalInsights/workspaces/savedSearches/write`, and what it belongs to. */
export function actionParts(name: string): { area: string; what: string } {
  const parts = name.split('/');
  const known = ['workspaces', 'managementGroups'];
  const at = known.includes(parts[1] ?? '') ? 2 : 1;
  return { area: parts.slice(0, at).join('/'), what: parts.slice(at).join('/') };
}

/** The lines of a text that say something. */
export function linesOf(text: string): string[] {
  return text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
}

/** Whether a name is meant by a pattern, in which * stands for any part; case does not matter. */
function isMeant(pattern: string, name: string): boolean {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${escaped}$`, 'i').test(name);
}

/** Whether a role that is given at a scope allows anything there. What it allows of data is not known by name here. */
export function meansSomething(role: RoleDefinition, scope: string, actions: readonly Permission[]): boolean {
  if (role.dataActions.length > 0) return true;
  const allows = (name: string) => role.actions.some((pattern) => isMeant(pattern, name)) && !role.notActions.some((pattern) => isMeant(pattern, name));
  const reaches = (place: string) => scope === '/' || place === scope || scope.startsWith(place === '/' ? '//' : `${place}/`);
  // roles are made and given at whichever place a request names
  const isAnywhere = (name: string) => name.startsWith('Microsoft.Authorization/role');
  return actions.some((action) => (reaches(action.scope) || isAnywhere(action.name)) && allows(action.name));
}
