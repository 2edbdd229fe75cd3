// The form of a connection as it is typed: what is missing, what is sent, and to which field a refusal belongs.
import { ApiError } from '../../../api/client';
import type { ConnectionBody, ItsmConnection, WorkItemType } from '../../../api/itsm';
import { partOfCode, withoutPart } from './problems';
import type { OwnField, Product } from './products';

/** The most past days that are imported. */
export const mostDays = 120;

export interface ConnectionForm {
  name: string;
  partner: string;
  url: string;
  userName: string;
  password: string;
  clientId: string;
  clientSecret: string;
  incidents: boolean;
  changeRequests: boolean;
  days: string;
  createConfigurationItems: boolean;
  authority: string;
  incidentPlace: string;
  changePlace: string;
  tokenUrl: string;
  secretExpiry: string;
}

export type FormField = keyof ConnectionForm;

export function formOfConnection(connection: ItsmConnection | undefined): ConnectionForm {
  return {
    name: connection?.name ?? '', partner: connection?.partner ?? 'ServiceNow', url: connection?.url ?? '', userName: connection?.userName ?? '', password: '',
    clientId: connection?.clientId ?? '', clientSecret: '', incidents: connection?.workItems.includes('Incident') ?? true,
    changeRequests: connection?.workItems.includes('ChangeRequest') ?? true, days: String(connection?.days ?? mostDays),
    createConfigurationItems: connection?.createConfigurationItems ?? false, authority: connection?.authority ?? '',
    incidentPlace: connection?.places.Incident ?? '', changePlace: connection?.places.ChangeRequest ?? '', tokenUrl: connection?.tokenUrl ?? '', secretExpiry: connection?.secretExpiry ?? '',
  };
}

const plainUrl = (url: string) => url.trim().replace(/\/+$/, '');

/** Secrets were given for the old addresses: for others they are given again. */
export function asksForSecrets(form: ConnectionForm, before: ItsmConnection | undefined): boolean {
  return before === undefined || plainUrl(form.url) !== before.url || plainUrl(form.tokenUrl) !== before.tokenUrl;
}

/** What cannot be sent as it is, by field. */
export function lacksOf(form: ConnectionForm, product: Product, before: ItsmConnection | undefined): Partial<Record<FormField, string>> {
  const lacks: Partial<Record<FormField, string>> = {};
  if (form.name.trim() === '') lacks.name = 'Give the connection a name.';
  if (!/^https?:\/\/\S+$/.test(form.url.trim())) lacks.url = 'Write the address with https:// at the front.';
  const needs = (field: OwnField) => product.fields.includes(field) && !(product.optional?.includes(field) ?? false);
  if (needs('userName') && form.userName.trim() === '') lacks.userName = 'Write the user’s name.';
  if (needs('clientId') && form.clientId.trim() === '') lacks.clientId = 'Write the client ID.';
  if (asksForSecrets(form, before)) {
    if (needs('password') && form.password === '') lacks.password = before ? 'The URL is another one: write the password again.' : 'Write the password.';
    if (needs('clientSecret') && form.clientSecret === '') lacks.clientSecret = before ? 'The URL is another one: write the client secret again.' : 'Write the client secret.';
  }
  const days = Number(form.days);
  if (!Number.isInteger(days) || days < 1 || days > mostDays) lacks.days = `Write 1 to ${mostDays}.`;
  return lacks;
}

/** What is sent; secrets that were not written stay as they are. */
export function bodyOf(form: ConnectionForm, product: Product, before: ItsmConnection | undefined): ConnectionBody {
  const has = (field: OwnField) => product.fields.includes(field);
  const places = { ...(form.incidentPlace.trim() ? { Incident: form.incidentPlace.trim() } : {}), ...(form.changePlace.trim() ? { ChangeRequest: form.changePlace.trim() } : {}) };
  const workItems: WorkItemType[] = [...(form.incidents ? ['Incident' as const] : []), ...(form.changeRequests ? ['ChangeRequest' as const] : [])];
  return {
    name: form.name.trim(), ...(before ? {} : { partner: form.partner }), url: plainUrl(form.url), userName: has('userName') ? form.userName.trim() : '',
    clientId: has('clientId') ? form.clientId.trim() : '', ...(has('password') && form.password !== '' ? { password: form.password } : {}),
    ...(has('clientSecret') && form.clientSecret !== '' ? { clientSecret: form.clientSecret } : {}), workItems, days: Number(form.days),
    createConfigurationItems: product.makesConfigurationItems && form.createConfigurationItems, authority: form.authority.trim() === '' ? '' : `${form.authority.trim()}\n`,
    places: product.places ? places : {}, tokenUrl: product.tokenUrlHint === undefined ? '' : plainUrl(form.tokenUrl), secretExpiry: form.secretExpiry,
  };
}

/** What the server refused: the fields that it may be, and its words. Without fields it is about the connection as a whole. */
export interface Refusal {
  fields: FormField[];
  title: string;
  message: string;
}

export function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof ApiError)) return undefined;
  if (error.status === 409) return { fields: ['name'], title: 'The connection is not saved', message: error.message };
  const part = partOfCode(error.code);
  if (!part) return undefined;
  const fields = part.name === 'settings' ? (error.message.includes('past days') ? ['days' as const] : []) : part.fields;
  return { fields: [...fields], title: part.title, message: withoutPart(error.message, part) };
}
