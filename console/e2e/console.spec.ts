// The console end to end: signing in, querying, charts, export, machines, accessibility, keyboard.
import { expect, test } from '@playwright/test';
import { readFile } from 'node:fs/promises';
import { ready } from './ready';
import { expectAccessible, openQuery, refusals, runQuery, signIn } from './steps';

test('a wrong password shows the server’s message and stays at sign-in', async ({ page }) => {
  await page.goto('/');
  await page.getByLabel('User').fill(ready().admin_user);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('alert')).toHaveText(/\S/);
  await expect(page.getByLabel('Password')).toBeVisible();
});

test('sign-in carries neither the editor nor the charts', async ({ page }) => {
  const loaded: string[] = [];
  page.on('request', (request) => loaded.push(request.url()));
  await page.goto('/');
  await expect(page.getByLabel('User')).toBeVisible();
  expect(loaded.filter((url) => /KqlEditor|kusto|Chart|ResultGrid/.test(url))).toEqual([]);
  const origin = new URL(ready().url).origin;
  expect(loaded.filter((url) => new URL(url).origin !== origin)).toEqual([]);
});

test('Heartbeat | take 10 shows rows, and nothing is refused by the policy', async ({ page }) => {
  const refused = refusals(page);
  await signIn(page);
  await runQuery(page, 'Heartbeat\n| take 10');
  await expect(page.locator('.ag-row').first()).toBeVisible();
  await expect(page.getByTestId('result-summary')).toContainText(/[1-9]\d* records?/);
  expect(refused).toEqual([]);
});

test('the editor knows the workspace’s tables and columns', async ({ page }) => {
  await signIn(page);
  await openQuery(page, 'Heartbeat\n| where ');
  await page.keyboard.press('Control+End');
  await page.keyboard.type('Comp');
  await expect(page.locator('.suggest-widget .monaco-list-row', { hasText: /^Computer/ }).first()).toBeVisible();
});

test('a known table and column carry no squiggle', async ({ page }) => {
  await signIn(page);
  await openQuery(page, 'Heartbeat\n| where Nonsense == 1');
  await expect(page.locator('.squiggly-error')).toHaveCount(1);
  await page.keyboard.press('Control+A');
  await page.keyboard.type('Heartbeat | where Computer == "a"');
  await page.keyboard.press('Escape');
  await expect(page.locator('.squiggly-error')).toHaveCount(0);
});

test('a query that the server refuses shows its message and a squiggle', async ({ page }) => {
  await signIn(page);
  await runQuery(page, 'Heartbeat\n| wher Computer == "a"');
  await expect(page.getByRole('alert')).toContainText(/\S/);
  await expect(page.locator('.squiggly-error').first()).toBeVisible();
});

test('render draws a chart', async ({ page }) => {
  await signIn(page);
  await runQuery(page, 'Heartbeat\n| summarize count() by bin(TimeGenerated, 1m)\n| render timechart');
  await expect(page.getByTestId('chart')).toHaveAttribute('data-kind', 'timechart');
  await expect(page.locator('[data-testid=chart] canvas')).toBeVisible();
});

test('a hundred thousand rows are shown without drawing them all', async ({ page }) => {
  await signIn(page);
  await runQuery(page, 'range n from 1 to 100000 step 1');
  await expect(page.getByTestId('result-grid')).toHaveAttribute('data-rows', /^(30000|100000)$/);
  expect(await page.locator('.ag-row').count()).toBeLessThan(200);
});

test('CSV export holds the columns and the rows', async ({ page }) => {
  await signIn(page);
  await runQuery(page, 'print a = 1, b = "x,\\"y\\""');
  await expect(page.locator('.ag-row').first()).toBeVisible();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export CSV' }).click()]);
  const text = await readFile(await download.path(), 'utf8');
  expect(text.replace('\ufeff', '')).toBe('a,b\r\n1,"x,""y"""\r\n');
});

test('machines lists this machine and opens its page', async ({ page }) => {
  await signIn(page);
  await page.getByRole('link', { name: 'Machines', exact: true }).click();
  const machine = page.getByRole('table', { name: 'Machines' }).getByRole('link').first();
  const name = await machine.innerText();
  await expect(page.getByText('Healthy', { exact: true }).first()).toBeVisible();
  await machine.click();
  await expect(page.getByRole('heading', { name, level: 1 })).toBeVisible();
  for (const tab of ['Logs', 'Processes', 'Ports']) {
    await page.getByRole('tab', { name: tab }).click();
    await expect(page.getByTestId('result-grid').or(page.getByText('Nothing here'))).toBeVisible();
  }
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
  await page.keyboard.press('Enter');
  const editor = page.locator('.monaco-editor textarea').first();
  await expect(editor).toBeAttached();
  for (let i = 0; i < 30 && !(await editor.evaluate((node) => node === document.activeElement)); i++) await page.keyboard.press('Tab');
  await page.keyboard.type('Heartbeat | take 1 ');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Shift+Enter');
  await expect(page.locator('.ag-row').first()).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test('every page passes the accessibility check', async ({ page }) => {
      await page.goto('/');
      await expect(page.getByLabel('User')).toBeVisible();
      await expectAccessible(page);
      await signIn(page);
      await expect(page.getByRole('heading', { name: 'What to do next' })).toBeVisible();
      await expectAccessible(page);
      await runQuery(page, 'Heartbeat\n| take 10');
      await expect(page.locator('.ag-row').first()).toBeVisible();
      await expectAccessible(page);
      await page.getByRole('link', { name: 'Machines', exact: true }).click();
      const machine = page.getByRole('table', { name: 'Machines' }).getByRole('link').first();
      await expect(machine).toBeVisible();
      await expectAccessible(page);
      await machine.click();
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expectAccessible(page);
    });
  });
}
