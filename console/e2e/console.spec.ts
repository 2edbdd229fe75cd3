// The console around its pages: signing in and out, the theme, home, machines, keyboard, accessibility.
import { expect } from '@playwright/test';
import { ready } from './ready';
import { expectAccessible, openMachine, runQuery, settled, signIn, test } from './steps';

test('a wrong password shows the server’s message and stays at sign-in', async ({ page, expected }) => {
  expected.add(401);
  await page.goto('/');
  await page.getByLabel('User').fill(ready().admin_user);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toHaveText(/\S/);
  await expect(page.getByLabel('Password')).toBeVisible();
});

test('sign-in carries neither the editor nor the charts, and nothing from elsewhere', async ({ page }) => {
  const loaded: string[] = [];
  page.on('request', (request) => loaded.push(request.url()));
  await page.goto('/');
  await expect(page.getByLabel('User')).toBeVisible();
  expect(loaded.length).toBeGreaterThan(1);
  expect(loaded.filter((url) => /KqlEditor|kusto|Chart|ResultGrid/.test(url))).toEqual([]);
  const origin = new URL(ready().url).origin;
  expect(loaded.filter((url) => new URL(url).origin !== origin)).toEqual([]);
});

test('the session outlives a reload and ends with sign-out', async ({ page, context, expected }) => {
  await signIn(page);
  await page.reload();
  await expect(page.getByRole('navigation', { name: 'Pages' })).toBeVisible();
  const cookies = await context.cookies();
  await page.getByRole('button', { name: ready().admin_user }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await expect(page.getByLabel('User')).toBeVisible();
  // The old cookie is worth nothing: the server has forgotten the session.
  await context.addCookies(cookies);
  expected.add(401);
  expect(await page.evaluate(async () => (await fetch('/api/session')).status)).toBe(401);
});

test('the chosen theme stays', async ({ page }) => {
  await signIn(page);
  await page.getByRole('button', { name: 'Theme' }).click();
  await page.getByRole('menuitemradio', { name: 'Dark' }).click();
  await expect(page.locator('html')).toHaveCSS('color-scheme', 'dark');
  await page.reload();
  await expect(page.locator('html')).toHaveCSS('color-scheme', 'dark');
});

test('home counts machines, rows and tables', async ({ page }) => {
  await signIn(page);
  await expect(page.getByText(/^1 of 1$/)).toBeVisible();
  await expect(page.getByRole('table', { name: 'Tables with data' }).getByRole('link', { name: 'Heartbeat' })).toBeVisible();
  await expect(page.getByRole('img', { name: 'Rows per minute in the last hour' }).locator('canvas')).toBeVisible();
  await expect(page.getByText(/running for \d+ \S+/)).toBeVisible();
});

test('machines lists this machine with its load, and its page shows charts, processes and ports', async ({ page }) => {
  await signIn(page);
  await page.getByRole('link', { name: 'Machines', exact: true }).click();
  const list = page.getByRole('table', { name: 'Machines' });
  await expect(list.getByText('Healthy', { exact: true })).toBeVisible();
  const refreshed = async (name: string) => {
    await page.reload();
    return list.getByRole('img', { name: new RegExp(`^${name}: now [\\d.]+ percent$`) }).first().waitFor({ timeout: 20_000 }).then(() => true, () => false);
  };
  for (const name of ['Processor', 'Memory']) await expect.poll(() => refreshed(name), { timeout: 240_000 }).toBe(true);
  await openMachine(page);
  for (const title of ['Processor time, %', 'Used memory, %', 'Used space by file system, %']) {
    await expect(page.getByRole('img', { name: title }).locator('canvas')).toBeVisible();
  }
  await page.getByRole('tab', { name: 'Processes' }).click();
  await expect(page.getByTestId('result-grid')).toHaveAttribute('data-rows', /^[1-9]\d*$/);
  await expect(page.locator('.ag-cell', { hasText: /watchkeeper|node|chrom/ }).first()).toBeVisible();
  await page.getByRole('tab', { name: 'Ports' }).click();
  await expect(page.getByTestId('result-grid')).toHaveAttribute('data-rows', /^[1-9]\d*$/);
  await page.getByRole('tab', { name: 'Logs' }).click();
  await settled(page);
  await expect(page.getByTestId('result-grid').or(page.getByText(/^No syslog record of this machine/))).toBeVisible();
  await page.getByRole('button', { name: 'Open in Logs' }).click();
  await expect(page.locator('.monaco-editor .view-lines')).toContainText('Syslog');
});

test('sign-in and a query work by keyboard alone', async ({ page }) => {
  await page.goto('/');
  await expect(page.getByLabel('User')).toBeVisible();
  await page.keyboard.press('Tab');
  await page.keyboard.type(ready().admin_user);
  await page.keyboard.press('Tab');
  await page.keyboard.type(ready().admin_password);
  await page.keyboard.press('Enter');
  const logs = page.getByRole('link', { name: 'Logs', exact: true });
  await expect(logs).toBeVisible();
  for (let i = 0; i < 12 && !(await logs.evaluate((node) => node === document.activeElement)); i++) await page.keyboard.press('Tab');
  await expect(logs).toBeFocused();
  await page.keyboard.press('Enter');
  const editor = page.locator('.monaco-editor textarea').first();
  await expect(editor).toBeAttached();
  for (let i = 0; i < 30 && !(await editor.evaluate((node) => node === document.activeElement)); i++) await page.keyboard.press('Tab');
  await expect(editor).toBeFocused();
  await page.keyboard.type('Heartbeat | take 1 ');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Shift+Enter');
  await expect(page.getByTestId('result-grid')).toHaveAttribute('data-rows', '1');
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test('every page passes the accessibility check', async ({ page, expected }) => {
      await page.goto('/');
      await expect(page.getByLabel('User')).toBeVisible();
      await expectAccessible(page);
      await signIn(page);
      await expect(page.getByRole('heading', { name: 'What to do next' })).toBeVisible();
      await expect(page.getByRole('img', { name: 'Rows per minute in the last hour' }).locator('canvas')).toBeVisible();
      await expectAccessible(page);
      await runQuery(page, 'Heartbeat\n| take 10');
      await expect(page.locator('.ag-row').first()).toBeVisible();
      await expectAccessible(page);
      await page.getByRole('tab', { name: 'Statistics' }).click();
      await expectAccessible(page);
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await expect(page.getByRole('dialog')).toBeVisible();
      await expectAccessible(page);
      expected.add(400);
      await runQuery(page, 'Heartbeat\n| where Nope == 1');
      await expect(page.getByRole('main').getByRole('alert')).toBeVisible();
      await expectAccessible(page);
      await runQuery(page, 'range n from 1 to 9 step 1\n| extend square = n * n\n| render linechart');
      await expect(page.locator('[data-testid=chart] canvas')).toBeVisible();
      await expectAccessible(page);
      await page.getByRole('link', { name: 'Machines', exact: true }).click();
      await expect(page.getByRole('table', { name: 'Machines' }).getByRole('link').first()).toBeVisible();
      await expectAccessible(page);
      await openMachine(page);
      await expect(page.getByRole('img', { name: 'Processor time, %' }).locator('canvas')).toBeVisible();
      await expectAccessible(page);
      await page.getByRole('tab', { name: 'Processes' }).click();
      await expect(page.locator('.ag-row').first()).toBeVisible();
      await expectAccessible(page);
    });
  });
}
