// All pages and their tabs, in the order of the navigation, each with the action that it takes: who may not do it sees
// neither entry nor tab.
import { AlertRegular, AlertUrgentRegular, ArrowTrendingLinesRegular, BoxRegular, BranchForkRegular, DocumentSearchRegular, HeartPulseRegular, HomeRegular, OrganizationRegular, PeopleLockRegular, ServerRegular, SettingsRegular, TicketDiagonalRegular, WrenchRegular, type FluentIcon } from '@fluentui/react-icons';
import type { ActionName } from '../api/permissions';

export interface TabEntry {
  value: string;
  label: string;
  /** One of these is enough. */
  needs: readonly ActionName[];
}

export interface PageEntry {
  path: string;
  /** What the address may go on with, where the page has tabs of its own making. */
  rest?: string;
  label: string;
  icon: FluentIcon;
  /** Begins a part of the navigation. */
  group?: string;
  /** One of these is enough; of a page with tabs: to see it in the navigation. */
  needs: readonly ActionName[];
  tabs?: readonly TabEntry[];
}

const query = ['Microsoft.OperationalInsights/workspaces/query/read'] as const;
const alerts = ['Microsoft.AlertsManagement/alerts/read'] as const;
const objects = ['Watchkeeper/managementGroups/objects/read'] as const;
const maintenance = ['Watchkeeper/managementGroups/maintenance/read'] as const;
const packs = ['Watchkeeper/managementGroups/packs/read'] as const;
const itsm = ['Watchkeeper/managementGroups/itsmConnections/read'] as const;
const serviceMap = ['Watchkeeper/managementGroups/serviceMapConnections/read'] as const;
const people = ['Microsoft.Authorization/users/read'] as const;
const given = ['Microsoft.Authorization/roleAssignments/read'] as const;

const alertingTabs: TabEntry[] = [
  { value: 'rules', label: 'Alert rules', needs: ['Microsoft.Insights/scheduledQueryRules/read'] },
  { value: 'groups', label: 'Action groups', needs: ['Microsoft.Insights/actionGroups/read'] },
  { value: 'processing', label: 'Processing rules', needs: ['Microsoft.AlertsManagement/actionRules/read'] },
  { value: 'deliveries', label: 'Deliveries', needs: ['Microsoft.Insights/notificationStatus/read'] },
];

const authoringTabs: TabEntry[] = [
  { value: 'packs', label: 'Management packs', needs: packs },
  { value: 'shipped', label: 'Shipped packs', needs: packs },
  { value: 'monitors', label: 'Monitors', needs: packs },
  { value: 'rules', label: 'Rules', needs: packs },
  { value: 'discoveries', label: 'Discoveries', needs: packs },
  { value: 'groups', label: 'Groups', needs: ['Watchkeeper/managementGroups/groups/read'] },
  { value: 'overrides', label: 'Overrides', needs: ['Watchkeeper/managementGroups/overrides/read'] },
];

const accessTabs: TabEntry[] = [
  { value: 'assignments', label: 'Role assignments', needs: given },
  { value: 'check', label: 'Check access', needs: given },
  { value: 'roles', label: 'Roles', needs: ['Microsoft.Authorization/roleDefinitions/read'] },
  { value: 'users', label: 'Users', needs: people },
  { value: 'groups', label: 'Groups', needs: people },
  { value: 'applications', label: 'App registrations', needs: ['Microsoft.Authorization/servicePrincipals/read'] },
  { value: 'sessions', label: 'Sessions', needs: people },
  { value: 'directories', label: 'Directories', needs: ['Microsoft.Authorization/users/read', 'Watchkeeper/managementGroups/computerGroupDirectories/read'] },
];

const administrationTabs: TabEntry[] = [
  { value: 'agents', label: 'Agents', needs: ['Watchkeeper/managementGroups/agents/read'] },
  { value: 'enrolment', label: 'Enrolment', needs: ['Watchkeeper/managementGroups/enrolmentTokens/read'] },
  { value: 'gateways', label: 'Gateways', needs: ['Watchkeeper/managementGroups/gateways/read'] },
  { value: 'pools', label: 'Resource pools', needs: ['Watchkeeper/managementGroups/resourcePools/read'] },
  { value: 'accounts', label: 'Run As accounts', needs: ['Watchkeeper/managementGroups/runAsAccounts/read'] },
  { value: 'profiles', label: 'Run As profiles', needs: ['Watchkeeper/managementGroups/runAsProfiles/read'] },
  { value: 'service-map', label: 'Service Map', needs: serviceMap },
  { value: 'configuration-manager', label: 'Configuration Manager', needs: ['Watchkeeper/managementGroups/configurationManager/read'] },
  { value: 'computer-groups', label: 'Computer groups', needs: ['Microsoft.OperationalInsights/workspaces/computerGroups/read'] },
  { value: 'secrets', label: 'Secrets and certificates', needs: ['Watchkeeper/managementGroups/certificates/read', 'Watchkeeper/secrets/write'] },
  { value: 'settings', label: 'Settings', needs: ['Watchkeeper/managementGroups/agents/read'] },
];

const entries = [
  { path: '/', label: 'Home', icon: HomeRegular, needs: query },
  { path: '/logs', label: 'Logs', icon: DocumentSearchRegular, needs: query },
  { path: '/machines', label: 'Machines', icon: ServerRegular, needs: query },
  { path: '/map', label: 'Map', icon: OrganizationRegular, needs: ['Microsoft.OperationalInsights/workspaces/features/generateMap/read', ...objects] },
  { path: '/alerts', label: 'Alerts', icon: AlertRegular, group: 'Monitoring', needs: alerts },
  { path: '/alerting', label: 'Alert rules', icon: AlertUrgentRegular, needs: alertingTabs.flatMap((tab) => tab.needs), tabs: alertingTabs },
  { path: '/itsm', label: 'ITSM connector', icon: TicketDiagonalRegular, needs: itsm, tabs: [{ value: 'dashboard', label: 'Dashboard', needs: itsm }, { value: 'connections', label: 'ITSM connections', needs: itsm }] },
  { path: '/state', label: 'State', icon: HeartPulseRegular, needs: objects },
  { path: '/performance', label: 'Performance', icon: ArrowTrendingLinesRegular, needs: objects },
  { path: '/service-map', label: 'Service Map', icon: BranchForkRegular, needs: serviceMap, rest: '/:tab?' },
  { path: '/maintenance', label: 'Maintenance', icon: WrenchRegular, needs: maintenance, tabs: [{ value: 'windows', label: 'In force and planned', needs: maintenance }, { value: 'schedules', label: 'Schedules', needs: maintenance }] },
  { path: '/authoring', label: 'Authoring', icon: BoxRegular, group: 'Management group', needs: authoringTabs.flatMap((tab) => tab.needs), tabs: authoringTabs },
  // its tab of the workspace's computer groups alone brings nobody there: Machines leads to it
  { path: '/administration', label: 'Administration', icon: SettingsRegular, needs: ['Watchkeeper/managementGroups/settings/read'], tabs: administrationTabs },
  { path: '/access', label: 'Access control', icon: PeopleLockRegular, needs: accessTabs.flatMap((tab) => tab.needs), tabs: accessTabs },
] as const satisfies readonly PageEntry[];

export const pages: readonly PageEntry[] = entries;
export type PagePath = (typeof entries)[number]['path'];

/** What stands for itself, with what it takes; the navigation has none of them. */
const others = [
  { path: '/machines/:computer', label: 'Machine', needs: query },
  { path: '/objects/:object', label: 'Object', needs: objects },
  { path: '/service-map/views/:object', label: 'Dependency view', needs: serviceMap },
  { path: '/account', label: 'Your account', needs: [] },
] as const satisfies readonly Pick<PageEntry, 'path' | 'label' | 'needs'>[];

export const details: readonly Pick<PageEntry, 'path' | 'label' | 'needs'>[] = others;
export type DetailPath = (typeof others)[number]['path'];

export function pageOf(path: PagePath): PageEntry {
  const found = pages.find((page) => page.path === path);
  if (!found) throw new Error(`there is no page ${path}`);
  return found;
}
