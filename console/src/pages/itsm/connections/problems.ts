// What can be wrong with a connection, in words: as a title, and by the fields of the form that it may lie in.
import type { ProblemPart } from '../../../api/itsm';
import type { FormField } from './form';

export interface PartWords {
  name: ProblemPart;
  /** As the server begins its message. */
  word: string;
  title: string;
  /** Where in the form a person corrects it; none: it is corrected in the product. */
  fields: readonly FormField[];
}

const parts: readonly PartWords[] = [
  { name: 'settings', word: 'settings', title: 'A value of the form cannot be', fields: [] },
  { name: 'url', word: 'URL', title: 'The URL is wrong', fields: ['url'] },
  { name: 'network', word: 'network', title: 'The product does not answer', fields: ['url'] },
  { name: 'certificate', word: 'certificate', title: 'The product’s certificate is not trusted', fields: ['authority'] },
  { name: 'user', word: 'user name', title: 'The user name is wrong', fields: ['userName'] },
  { name: 'password', word: 'password', title: 'The password is wrong', fields: ['password'] },
  { name: 'userOrPassword', word: 'user name or password', title: 'The user name or the password is wrong', fields: ['userName', 'password'] },
  { name: 'clientId', word: 'client ID', title: 'The client ID is wrong', fields: ['clientId'] },
  { name: 'clientSecret', word: 'client secret', title: 'The client secret is wrong', fields: ['clientSecret'] },
  { name: 'clientIdOrSecret', word: 'client ID or client secret', title: 'The client ID or the client secret is wrong', fields: ['clientId', 'clientSecret'] },
  { name: 'role', word: 'role', title: 'The user may not do what the connection needs', fields: [] },
  { name: 'product', word: 'product', title: 'The product is not ready', fields: [] },
  { name: 'rateLimit', word: 'rate limit', title: 'The product allows no more requests now', fields: [] },
  { name: 'workItem', word: 'work item', title: 'A work item was not taken as it was sent', fields: [] },
];

/** The part that a problem of a connection names. */
export function partWords(name: ProblemPart): PartWords | undefined {
  return parts.find((one) => one.name === name);
}

/** The part that the code of a refusal names, for instance `UserOrPassword`. */
export function partOfCode(code: string): PartWords | undefined {
  return parts.find((one) => one.name.toLowerCase() === code.toLowerCase());
}

/** A message without the part at its front, which the title says; it begins a sentence. */
export function withoutPart(message: string, part: PartWords): string {
  const rest = message.startsWith(`${part.word}: `) ? message.slice(part.word.length + 2) : message;
  return rest.charAt(0).toUpperCase() + rest.slice(1);
}
