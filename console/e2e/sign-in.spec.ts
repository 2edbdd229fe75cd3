// Signing in to applications: the authority's pages for people.
import { expect, type Page } from '@playwright/test';
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ready } from './ready';
import { expectAccessible, signIn, test } from './steps';

const AZURE_CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46';
const SCOPE = 'https://api.loganalytics.io/.default';

/** A form that a program sends, from the page that is open. */
function post(page: Page, path: string, form: Record<string, string>): Promise<Record<string, string>> {
  return page.evaluate(
    async ({ path, form }) => (await (await fetch(path, { method: 'POST', body: new URLSearchParams(form) })).json()) as Record<string, string>,
    { path, form },
  );
}

test('an application gets its code by form after the person has signed in and agreed', async ({ page }) => {
  // The program on the person's machine that waits for the answer.
  let answered: (body: string) => void = () => undefined;
  const answer = new Promise<string>((resolve) => (answered = resolve));
  const program = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      response.setHeader('Content-Type', 'text/html').end('<link rel="icon" href="data:,"><p>Welcome back</p>');
      if (request.method === 'POST') answered(body);
    });
  });
  await new Promise<void>((resolve) => program.listen(0, 'localhost', resolve));
  try {
    const redirect = `http://localhost:${(program.address() as AddressInfo).port}`;
    const verifier = randomBytes(48).toString('base64url');
    const query = new URLSearchParams({
      client_id: AZURE_CLI, response_type: 'code', response_mode: 'form_post', redirect_uri: redirect, state: 'here', scope: `openid ${SCOPE}`,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
    });
    await page.goto(`/${ready().tenant_id}/oauth2/v2.0/authorize?${query.toString()}`);
    await expect(page.getByText('Sign in to continue to Microsoft Azure CLI.')).toBeVisible();
    await expectAccessible(page);
    await page.getByLabel('User').fill(ready().admin_user);
    await page.getByLabel('Password').fill(ready().admin_password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByText('wants to work here as')).toContainText(ready().admin_user);
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Continue' }).click();
    await expect(page.getByText('Welcome back')).toBeVisible();
    const given = new URLSearchParams(await answer);
    expect(given.get('state')).toBe('here');
    const form = { grant_type: 'authorization_code', client_id: AZURE_CLI, code: given.get('code') ?? '', redirect_uri: redirect, code_verifier: verifier };
    await page.goto('/');
    const tokens = await post(page, `/${ready().tenant_id}/oauth2/v2.0/token`, form);
    expect(tokens.token_type).toBe('Bearer');
    expect(tokens.id_token).toMatch(/^ey/);
  } finally {
    program.close();
  }
});

test('a person confirms a sign-in on another device, and signs out of an application', async ({ page, expected }) => {
  const tenant = `/${ready().tenant_id}/oauth2/v2.0`;
  await signIn(page);
  const { user_code = '', device_code = '' } = await post(page, `${tenant}/devicecode`, { client_id: AZURE_CLI, scope: SCOPE });
  await page.goto('/device');
  await page.getByLabel('Code').fill('WRONG');
  expected.add(404);
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByRole('alert')).toContainText('no sign-in waits');
  await page.getByLabel('Code').fill(user_code.toLowerCase());
  await page.getByRole('button', { name: 'Next' }).click();
  await expect(page.getByText('on another device')).toContainText('Microsoft Azure CLI');
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Continue' }).click();
  await expect(page.getByRole('status')).toContainText('is signed in on your device');
  const form = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: AZURE_CLI, device_code };
  expect((await post(page, `${tenant}/token`, form)).token_type).toBe('Bearer');
  await page.goto(`${tenant}/logout`);
  await expect(page.getByText('You are signed out.')).toBeVisible();
  await page.getByRole('link', { name: 'Sign in again' }).click();
  await expect(page.getByLabel('User')).toBeVisible();
});
