import { describe, expect, it } from 'vitest';
import { emptyForm, lackOf, outcomeWords, sentOf, type Draft } from './words';

const draft = (more: Partial<Draft> = {}): Draft => ({ ...emptyForm, name: ' Site ', secret: '', password: '', ...more });

describe('a connection to Configuration Manager', () => {
  it('is sent with secrets only where they are new', () => {
    const sent = sentOf(draft({ secret: 's' }));
    expect(sent).toMatchObject({ name: 'Site', secret: 's' });
    expect('password' in sent).toBe(false);
  });
  it('says what a page still lacks', () => {
    expect(lackOf(0, draft({ name: ' ' }))).toContain('name');
    expect(lackOf(1, draft())).toContain('Tenant');
    expect(lackOf(1, draft({ tenantId: 't', clientId: 'c', secret: 's', address: 'a' }))).toContain('Windows');
    expect(lackOf(1, draft({ tenantId: 't', clientId: 'c', secret: 's', address: 'a', signIn: 'Token' }))).toBeUndefined();
  });
  it('tells an import in words', () => {
    expect(outcomeWords({ collections: 2, memberships: 1200, read: 1, empty: 0, removed: 1, renamed: 0, seconds: 1 })).toContain('1 removed');
  });
});
