import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../api/client';
import type { ItsmConnection } from '../../../api/itsm';
import { bodyOf, formOfConnection, lacksOf, refusalOf } from './form';
import { productOf, products, workItemLink } from './products';

const stored: ItsmConnection = {
  id: 'c', name: 'Desk', partner: 'ServiceNow', partnerTitle: 'ServiceNow', url: 'https://desk.example', userName: 'integration', clientId: 'id', workItems: ['Incident'], days: 30,
  createConfigurationItems: true, authority: '', places: {}, tokenUrl: '', secretExpiry: '', actions: ['Incident'], modifiedAt: null, status: 'connected', problem: null, lastSync: null, lastSuccess: null,
  nextSync: null, configurationAt: null, imports: [], logQuery: '',
};

describe('the form of a connection', () => {
  it('asks each product for its own fields', () => {
    const lacks = (partner: string) => Object.keys(lacksOf({ ...formOfConnection(undefined), partner }, productOf(partner), undefined)).sort();
    expect(lacks('ServiceNow')).toEqual(['clientId', 'clientSecret', 'name', 'password', 'url', 'userName']);
    expect(lacks('Cherwell')).toEqual(['clientId', 'name', 'password', 'url', 'userName']);
    expect(lacks('ServiceManager')).toEqual(['clientId', 'clientSecret', 'name', 'url']);
    expect(lacks('Provance')).toEqual(['clientId', 'name', 'password', 'url', 'userName']);
    expect(lacks('RequestTracker')).toEqual(['name', 'password', 'url']);
    expect(new Set(products.map((one) => one.partner)).size).toBe(products.length);
  });
  it('keeps secrets that are not written, and wants them again for another URL', () => {
    const form = formOfConnection(stored);
    const product = productOf('ServiceNow');
    expect(lacksOf(form, product, stored)).toEqual({});
    const body = bodyOf(form, product, stored);
    expect(body).not.toHaveProperty('password');
    expect(body).not.toHaveProperty('clientSecret');
    expect(body).not.toHaveProperty('partner');
    expect(body.workItems).toEqual(['Incident']);
    expect(Object.keys(lacksOf({ ...form, url: 'https://other.example/' }, product, stored)).sort()).toEqual(['clientSecret', 'password']);
    expect(lacksOf({ ...form, url: 'https://desk.example/' }, product, stored)).toEqual({});
  });
  it('takes 1 to 120 days', () => {
    const product = productOf('ServiceNow');
    for (const [days, good] of [['1', true], ['120', true], ['0', false], ['121', false], ['1.5', false], ['', false]] as const) {
      expect(lacksOf({ ...formOfConnection(stored), days }, product, stored).days === undefined, days).toBe(good);
    }
  });
  it('sends nothing that the product does not have', () => {
    const body = bodyOf({ ...formOfConnection(undefined), name: 'R', partner: 'RequestTracker', url: 'https://rt.example/', password: 'p', clientId: 'left over', clientSecret: 'left over', createConfigurationItems: true, incidentPlace: ' Helpdesk ' }, productOf('RequestTracker'), undefined);
    expect(body).toMatchObject({ url: 'https://rt.example', clientId: '', createConfigurationItems: false, places: { Incident: 'Helpdesk' } });
    expect(body).not.toHaveProperty('clientSecret');
  });
  it('finds the fields that a refusal is about', () => {
    const refusal = (code: string, message: string, status = 400) => refusalOf(new ApiError(status, { code, message }));
    expect(refusal('UserOrPassword', 'user name or password: it does not take nobody; try both')).toEqual({ fields: ['userName', 'password'], title: 'The user name or the password is wrong', message: 'It does not take nobody; try both' });
    expect(refusal('Settings', 'settings: 121 past days are asked for; write 1 to 120')?.fields).toEqual(['days']);
    expect(refusal('Role', 'role: no itil; give it')?.fields).toEqual([]);
    expect(refusal('Conflict', 'there is a connection "Desk" already', 409)?.fields).toEqual(['name']);
    expect(refusal('InternalServerError', 'x', 500)).toBeUndefined();
    expect(refusalOf(new Error('offline'))).toBeUndefined();
  });
  it('knows where a person reads a work item', () => {
    expect(workItemLink(stored, 'ChangeRequest', 'CHG1')).toBe('https://desk.example/nav_to.do?uri=change_request.do%3Fsysparm_query%3Dnumber%3DCHG1');
    expect(workItemLink({ partner: 'RequestTracker', url: 'https://rt' }, 'Incident', '7')).toBe('https://rt/Ticket/Display.html?id=7');
    expect(workItemLink(undefined, 'Incident', '7')).toBeUndefined();
  });
});
