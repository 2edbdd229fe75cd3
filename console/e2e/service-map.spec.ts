// Service Map: a workspace of the server itself is connected with the wizard, its map becomes a diagram with health, which
// people change; the connection is edited and deleted. The server has the pack Test.Level, its tank is full, and the
// machine group "Works" of the map has the product's own machine.
import { expect, type Page } from '@playwright/test';
import { ready } from './ready';
import { cell, expectAccessible, openPage, openTab, signIn, test } from './steps';

const machine = process.env.MAP_MACHINE ?? '';
const canvas = (page: Page) => page.getByTestId('map').locator('canvas').first();
const wizard = (page: Page) => page.getByRole('dialog');
const next = (page: Page) => wizard(page).getByRole('button', { name: 'Next' });
const openTabOf = (page: Page, tab: string) => page.getByRole('tab', { name: tab }).click();

async function openServiceMap(page: Page): Promise<void> {
  await openTab(page, 'Administration', 'Service Map');
  await expect(page.getByRole('heading', { name: 'Service Map Overview' })).toBeVisible();
}

/** Fills the first page. */
async function enter(page: Page, secret: string): Promise<void> {
  const { tenant_id, client_id } = ready();
  await wizard(page).getByRole('textbox', { name: 'Tenant name or ID' }).fill(tenant_id);
  await wizard(page).getByRole('textbox', { name: 'Application ID' }).fill(client_id);
  await wizard(page).getByLabel('Client secret').fill(secret);
}

test('a workspace is connected, and its map becomes diagrams with health', async ({ page, expected }) => {
  await signIn(page);
  await openServiceMap(page);
  await expect(page.getByText('No workspace is connected')).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Add workspace…' }).click();
  await expect(next(page)).toHaveAttribute('aria-disabled', 'true');
  await enter(page, 'not the secret');
  // What is wrong is said at its field.
  expected.add(400);
  await page.keyboard.press('Enter');
  const secret = wizard(page).getByLabel('Client secret');
  await expect(secret).toHaveAttribute('aria-invalid', 'true');
  await expectAccessible(page);
  await secret.fill(ready().client_secret);
  await next(page).click();
  await expect(wizard(page).getByRole('group', { name: 'Subscription Selection' })).toBeVisible();
  // Where there is one to choose, it is chosen.
  await expect(wizard(page).getByRole('combobox', { name: 'Workspace' })).not.toHaveValue('');
  await expectAccessible(page);
  await next(page).click();
  await wizard(page).getByRole('checkbox', { name: 'Works' }).check();
  await next(page).click();
  await wizard(page).getByRole('searchbox', { name: 'Find in Servers' }).fill(machine);
  await wizard(page).getByRole('checkbox', { name: machine }).first().check();
  await expectAccessible(page);
  await next(page).click();
  await wizard(page).getByRole('textbox', { name: 'Name' }).fill('Own workspace');
  await expect(wizard(page).getByRole('combobox', { name: 'Resource pool' })).toHaveValue('All Management Servers Resource Pool');
  await expectAccessible(page);
  await wizard(page).getByRole('button', { name: 'Add workspace' }).click();
  await expect(wizard(page)).toContainText('1 server, 1 machine group');
  await expect(wizard(page)).toContainText('in step with the map');
  await wizard(page).getByRole('button', { name: 'Open Service Map' }).click();
  await expect(cell(page, machine)).toBeVisible();
  await openTabOf(page, 'Machine Group Dependency Views');
  await expect(cell(page, 'Works')).toBeVisible();
  await openTabOf(page, 'Server Dependency Views');
  await cell(page, machine).click();
  await expect(canvas(page)).toHaveAttribute('data-painted', /\d/);
  expect(await canvas(page).evaluate((element: HTMLCanvasElement) => Number(element.dataset['boxes']))).toBeGreaterThan(0);
  // Its tank is full, so the machine is critical, and so is the view.
  await expect(page.getByRole('main')).toContainText('Critical');
  await openTabOf(page, 'List');
  await expect(page.getByRole('region', { name: 'Members of the view' }).locator('.ag-row', { hasText: machine }).first()).toContainText('Critical');
});

test('a person adds a member to a view, which stays after a sync, and takes it away', async ({ page }) => {
  await signIn(page);
  await openPage(page, 'Service Map');
  await openTabOf(page, 'Server Dependency Views');
  await cell(page, machine).click();
  await expect(canvas(page)).toHaveAttribute('data-painted', /\d/);
  await openTabOf(page, 'List');
  await page.getByRole('button', { name: 'Add member…' }).click();
  await page.getByRole('searchbox').fill('Test.Level.Tank');
  await page.getByRole('list', { name: 'Objects' }).getByRole('button', { name: /tank/ }).click();
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  const added = page.getByRole('region', { name: 'Members of the view' }).locator('.ag-row', { hasText: 'a person' });
  await expect(added).toContainText('tank');
  const address = page.url();
  await openServiceMap(page);
  const panel = page.getByRole('complementary', { name: 'Workspace' });
  const synced = page.waitForResponse((response) => response.url().endsWith('/sync'));
  await page.getByRole('button', { name: 'Sync now' }).click();
  expect((await synced).status()).toBe(202);
  await expect(page.getByRole('button', { name: 'Sync now' })).not.toHaveAttribute('aria-disabled', 'true');
  await expect(panel).toContainText('in step with the map');
  await page.goto(address);
  await expect(added).toContainText('tank');
  await added.locator('.ag-cell').first().click();
  await page.getByRole('button', { name: 'Take away…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Take away' }).click();
  await expect(added).toHaveCount(0);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test('the folder and its views pass the accessibility check', async ({ page }) => {
      await signIn(page);
      await openServiceMap(page);
      await expect(page.getByRole('complementary', { name: 'Workspace' })).toContainText('Last sync');
      await expectAccessible(page);
      await openPage(page, 'Service Map');
      await expect(page.getByText('No alerts about the connections')).toBeVisible();
      await expectAccessible(page);
      await openTabOf(page, 'Server Dependency Views');
      await cell(page, machine).click();
      await expect(canvas(page)).toHaveAttribute('data-painted', /\d/);
      // By keyboard: from the drawing to the panel of a member.
      await page.getByTestId('map').focus();
      await page.keyboard.press('ArrowRight');
      await expect(page.getByRole('complementary', { name: 'Member' })).toContainText('Put here by');
      await expectAccessible(page);
      await page.getByRole('button', { name: 'Add member…' }).click();
      await expect(page.getByRole('list', { name: 'Objects' }).getByRole('button').first()).toBeVisible();
      await expectAccessible(page);
    });
  });
}

test('a connection is edited without its secret, and deleted with its views', async ({ page }) => {
  await signIn(page);
  await openServiceMap(page);
  await page.getByRole('button', { name: 'Edit workspace…' }).click();
  for (const title of ['Subscription Selection', 'Machine Group Selection', 'Server Selection', 'Resource Pool']) {
    await next(page).click();
    await expect(wizard(page).getByRole('group', { name: title })).toBeVisible();
  }
  await wizard(page).getByRole('textbox', { name: 'Name' }).fill('Our workspace');
  await wizard(page).getByRole('button', { name: 'Save' }).click();
  await expect(wizard(page)).toHaveCount(0);
  await expect(page.getByRole('complementary', { name: 'Workspace' }).getByRole('heading', { name: 'Our workspace' })).toBeVisible();
  await page.getByRole('button', { name: 'Delete workspace…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('No workspace is connected')).toBeVisible();
  await openPage(page, 'Service Map');
  await expect(page.getByRole('button', { name: 'Connect a workspace' })).toBeVisible();
});
