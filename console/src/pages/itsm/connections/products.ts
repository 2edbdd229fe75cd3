// The products that can be connected: what the form of each asks for, and where a person reads a work item there. One
// entry a product; the form, its checks and the links are made of it.
import type { ItsmConnection, WorkItemType } from '../../../api/itsm';

/** Fields that a product may have beside name, URL, scope and days. */
export type OwnField = 'userName' | 'password' | 'clientId' | 'clientSecret';

export interface Product {
  /** As the API names it. */
  partner: string;
  title: string;
  urlExample: string;
  /** What the URL is the address of. */
  urlHint: string;
  /** The fields that it has, in their order. */
  fields: readonly OwnField[];
  /** Those of them that can stay empty. */
  optional?: readonly OwnField[];
  /** A password without a user name is a token there. */
  takesToken?: boolean;
  /** How it calls its two types of work items. */
  workItems: Readonly<Record<WorkItemType, string>>;
  /** Where it keeps a type of work item, if that can be said: the field's label and what it is by default. */
  places?: { label: string; usual: Readonly<Record<WorkItemType, string>> };
  /** Tokens can be issued by another service: what the field for its address says. */
  tokenUrlHint?: string;
  /** Configuration items that it lacks can be made there. */
  makesConfigurationItems: boolean;
  /** What has to be done in the product first. */
  prepare: string;
  /** Where a person reads a work item by its number; undefined where only its identity leads there. */
  link?: (url: string, type: WorkItemType, number: string) => string;
}

const incidents = { Incident: 'Incidents', ChangeRequest: 'Change requests' };

export const products: readonly Product[] = [
  {
    partner: 'ServiceNow', title: 'ServiceNow', urlExample: 'https://example.service-now.com', urlHint: 'The address of the instance', fields: ['userName', 'password', 'clientId', 'clientSecret'],
    workItems: incidents, makesConfigurationItems: true,
    prepare: 'Make an OAuth endpoint for external clients in the Application Registry, and an integration user with the roles itil, personalize_choices, import_transformer, template_editor and view_changer; for events and alerts also evt_mgmt_integration and evt_mgmt_operator.',
    link: (url, type, number) => `${url}/nav_to.do?uri=${encodeURIComponent(`${type === 'Incident' ? 'incident' : 'change_request'}.do?sysparm_query=number=${number}`)}`,
  },
  {
    partner: 'ServiceManager', title: 'System Center Service Manager', urlExample: 'https://service-manager.example.com', urlHint: 'The address of the web application', fields: ['clientId', 'clientSecret'],
    workItems: incidents, makesConfigurationItems: true,
    prepare: 'Run the script Watchkeeper.ServiceManager.ps1 with -Install on the Service Manager server: it shows the URL, the client ID and the client secret of its web application, once.',
  },
  {
    partner: 'Provance', title: 'Provance', urlExample: 'https://example.crm.dynamics.com', urlHint: 'The address of the environment', fields: ['userName', 'password', 'clientId', 'clientSecret'], optional: ['clientSecret'],
    workItems: incidents, places: { label: 'Entity set', usual: { Incident: 'the table that people know as Incident', ChangeRequest: 'the table that people know as Change Request' } }, tokenUrlHint: 'Empty: as the product says', makesConfigurationItems: true,
    prepare: 'Register an application in Microsoft Entra ID with the permission Dynamics CRM user_impersonation, an administrator’s consent, and public client flows allowed (or give its client secret). The user needs a security role of Provance and no second factor.',
  },
  {
    partner: 'Cherwell', title: 'Cherwell', urlExample: 'https://example.cherwellondemand.com', urlHint: 'The address of the server', fields: ['userName', 'password', 'clientId'],
    workItems: incidents, places: { label: 'Business object', usual: { Incident: 'Incident', ChangeRequest: 'ChangeRequest' } }, makesConfigurationItems: true,
    prepare: 'Make a REST API client in the administrator, and a user with an account of Cherwell’s own and the rights to read, make and change incidents, change requests and computers.',
  },
  {
    partner: 'RequestTracker', title: 'Request Tracker', urlExample: 'https://tickets.example.com', urlHint: 'The address of its start page', fields: ['userName', 'password'], optional: ['userName'], takesToken: true,
    workItems: incidents, places: { label: 'Queue', usual: { Incident: 'General', ChangeRequest: 'Changes' } }, makesConfigurationItems: false,
    prepare: 'Make a privileged user in the time zone UTC with the rights to see, make and change tickets and their custom fields in both queues. With an authentication token as the password, leave the user name empty.',
    link: (url, _type, number) => `${url}/Ticket/Display.html?id=${encodeURIComponent(number)}`,
  },
];

/** The product of a connection; one that this console does not know has every field. */
export function productOf(partner: string, title = partner): Product {
  return products.find((one) => one.partner === partner) ?? {
    partner, title, urlExample: 'https://…', urlHint: 'The address of the product', fields: ['userName', 'password', 'clientId', 'clientSecret'],
    workItems: incidents, tokenUrlHint: 'Empty: the product’s own', makesConfigurationItems: true, prepare: 'The manual says what has to be prepared in the product.',
  };
}

/** Where a person reads a work item of a connection. */
export function workItemLink(connection: Pick<ItsmConnection, 'partner' | 'url'> | undefined, type: WorkItemType, number: string): string | undefined {
  return connection && productOf(connection.partner).link?.(connection.url, type, number);
}
