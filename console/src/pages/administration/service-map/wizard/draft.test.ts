import { describe, expect, it } from 'vitest';
import { ApiError } from '../../../../api/client';
import type { WorkspaceConnection } from '../../../../api/serviceMap';
import { bodyOf, discoverOf, draftOf, emptyDraft, fieldErrorOf, lackOf, settled, usesStored, type Draft } from './draft';

const draft = (more: Partial<Draft> = {}): Draft => ({ ...emptyDraft(), tenant: ' t ', applicationId: 'a', secret: 's', ...more });
const found = [{ subscriptionId: 'sub', displayName: 'Own', resourceGroups: [{ name: 'rg', workspaces: [{ name: 'logs', customerId: 'c' }, { name: 'test', customerId: 'd' }] }] }];

describe('the draft of a connection', () => {
  it('chooses what there is no choice of, and takes back what is gone', () => {
    expect(settled(draft(), found)).toMatchObject({ subscription: 'sub', resourceGroup: 'rg', workspace: '', name: '' });
    expect(settled(draft({ subscription: 'old', workspace: 'test' }), found)).toMatchObject({ subscription: 'sub', workspace: 'test', name: 'test' });
    expect(settled(draft({ name: 'mine' }), [])).toMatchObject({ subscription: '', resourceGroup: '', name: 'mine' });
  });
  it('says what a page still lacks', () => {
    expect(lackOf('connection', draft(), false)).toBeUndefined();
    expect(lackOf('connection', draft({ secret: '' }), false)).toContain('secret');
    expect(lackOf('connection', draft({ secret: '' }), true)).toBeUndefined();
    expect(lackOf('connection', draft({ where: 'elsewhere' }), false)).toContain('address');
    expect(lackOf('subscription', draft(), false)).toContain('workspace');
    expect(lackOf('pool', draft(), false)).toContain('name');
  });
  it('is sent with an address only where the workspace is elsewhere, and a secret only where it is new', () => {
    const here = bodyOf(draft({ endpoint: 'https://left.over', name: ' n ' }), undefined);
    expect(here).toMatchObject({ authority: 'own', name: 'n', secretExpires: '' });
    expect(here).not.toHaveProperty('endpoint');
    expect(bodyOf(draft({ where: 'elsewhere', endpoint: 'logs.example.com:8443/', secretExpires: '2027-03-01' }), undefined)).toMatchObject({ endpoint: 'https://logs.example.com:8443', authority: 'https://logs.example.com:8443', tenant: 't', secretExpires: '2027-03-01T00:00:00Z' });
    const china = bodyOf(draft({ where: 'azure', environment: 'AzureChinaCloud', endpoint: 'https://left.over' }), undefined);
    expect(china).toMatchObject({ authority: 'AzureChinaCloud', trustedCertificates: '' });
    expect(china).not.toHaveProperty('endpoint');
    expect(bodyOf(draft({ where: 'elsewhere', endpoint: 'https://a', authority: 'https://b' }), undefined)).toMatchObject({ endpoint: 'https://a', authority: 'https://b' });
  });
  it('uses the stored secret where it was meant for, and nowhere else', () => {
    const stored: WorkspaceConnection = {
      id: 'id', name: 'n', cloud: 'https://a', environment: null, authority: 'https://a', endpoint: 'https://a', tenant: 't', applicationId: 'a', secretSet: true, secretExpires: null, subscription: 's', resourceGroup: 'r', workspace: 'w',
      machineGroups: [], servers: [], resourcePool: 'p', object: 'o', health: 'Success', rule: { enabled: true, intervalMinutes: 60, timeoutSeconds: 300, timeWindowMinutes: 60 }, lastSync: null, missing: [],
    };
    const cloud = { ...stored, environment: 'AzureUSGovernment' };
    expect(draftOf(cloud)).toMatchObject({ where: 'azure', environment: 'AzureUSGovernment', endpoint: '' });
    expect(usesStored({ ...draftOf(cloud), environment: 'AzureChinaCloud' }, cloud)).toBe(false);
    const same = draftOf(stored);
    expect(same).toMatchObject({ where: 'elsewhere', endpoint: 'https://a', authority: '', workspace: 'w' });
    expect(discoverOf(same, stored, false)).toEqual({ tenant: 't', applicationId: 'a', connection: 'id' });
    expect(bodyOf(same, stored)).toEqual(expect.not.objectContaining({ endpoint: 'https://a' }));
    expect(bodyOf(same, stored)).not.toHaveProperty('secret');
    const other = { ...same, endpoint: 'https://b' };
    expect(usesStored(other, stored)).toBe(false);
    expect(lackOf('connection', other, usesStored(other, stored))).toContain('secret');
    expect(discoverOf({ ...other, secret: 's' }, stored, true)).toMatchObject({ endpoint: 'https://b', secret: 's', workspace: 'w' });
  });
  it('finds the page of the field that the server names', () => {
    const refusal = (target?: string) => new ApiError(400, { message: 'the secret has expired', ...(target === undefined ? {} : { target }) });
    expect(fieldErrorOf(refusal('secret'), 'here')).toEqual({ field: 'secret', step: 'connection', message: 'the secret has expired' });
    expect(fieldErrorOf(refusal('cloud'), 'elsewhere')).toMatchObject({ field: 'endpoint' });
    expect(fieldErrorOf(refusal('endpoint'), 'azure')).toBeUndefined();
    expect(fieldErrorOf(refusal(), 'here')).toBeUndefined();
    expect(fieldErrorOf(refusal('unknown'), 'here')).toBeUndefined();
    expect(fieldErrorOf(new Error('no'), 'here')).toBeUndefined();
  });
});
