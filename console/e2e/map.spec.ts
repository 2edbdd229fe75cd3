// The map: a small shop whose rows came in through the ingestion API, and the product's own machine with its full tank.
import { expect, type Page } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { cell, expectAccessible, openPage, signIn, test } from './steps';

const machine = process.env.MAP_MACHINE ?? '';
const canvas = (page: Page) => page.getByTestId('map').locator('canvas').first();
const panel = (page: Page) => page.getByRole('complementary', { name: 'Selected on the map' });

/** Opens the map and waits until it is drawn. */
async function openMap(page: Page): Promise<void> {
  await signIn(page);
  await openPage(page, 'Map');
  await expect(canvas(page)).toHaveAttribute('data-painted', /\d/);
}

/** Selects a machine by searching for it. */
async function find(page: Page, text: string, name: string): Promise<void> {
  const search = page.getByRole('searchbox', { name: 'Search the map' });
  await search.fill(text);
  await expect(page.getByRole('group', { name: 'Map', exact: true }).getByRole('status')).toContainText('found');
  await search.press('Enter');
  await expect(panel(page).getByRole('heading', { name, level: 2 })).toBeVisible();
}

test('a machine is found, shown with its dependencies alone, further out, and again from the address', async ({ page }) => {
  await openMap(page);
  await find(page, 'machine:app-01', 'app-01');
  await expect(panel(page)).toContainText('10.0.2.1');
  await panel(page).getByRole('tab', { name: 'Connections' }).click();
  await expect(cell(page, 'Postgres on db-01')).toBeVisible();
  await panel(page).getByRole('button', { name: 'Show only its dependencies' }).click();
  const focus = page.getByRole('group', { name: 'Focus' });
  await expect(focus).toContainText('app-01');
  // Two web servers before it, the database and the mail server behind it.
  await expect(canvas(page)).toHaveAttribute('data-boxes', '5');
  await page.getByRole('spinbutton', { name: 'Steps: Depends on it' }).press('ArrowUp');
  await expect(canvas(page)).toHaveAttribute('data-boxes', '6');
  await page.reload();
  await expect(canvas(page)).toHaveAttribute('data-boxes', '6');
  await focus.getByRole('button', { name: 'Whole workspace' }).click();
  await expect(focus).toHaveCount(0);
});

test('failed connections are red on the map, and can be shown alone', async ({ page }) => {
  await openMap(page);
  await page.getByRole('button', { name: /^Filter/ }).click();
  await page.getByRole('menuitemcheckbox', { name: 'Only failed connections' }).click();
  await page.keyboard.press('Escape');
  await find(page, 'machine:app-01', 'app-01');
  // Pixels of the theme's red, in the drawing itself; nothing else of what is left is red.
  const red = () => canvas(page).evaluate((element: HTMLCanvasElement) => {
    const copy = document.createElement('canvas');
    [copy.width, copy.height] = [element.width, element.height];
    const context = copy.getContext('2d', { willReadFrequently: true });
    context?.drawImage(element, 0, 0);
    const pixels = context?.getImageData(0, 0, copy.width, copy.height).data ?? [];
    let count = 0;
    for (let at = 0; at + 2 < pixels.length; at += 4) if ((pixels[at] ?? 0) > 150 && (pixels[at + 1] ?? 0) < 70 && (pixels[at + 2] ?? 0) < 80) count += 1;
    return count;
  });
  await expect.poll(red).toBeGreaterThan(15);
});

test('an address of the list of threats is marked, and its panel says where it is and what is known', async ({ page }) => {
  await openMap(page);
  await find(page, '203.0.113.8', '2 clients');
  const addresses = panel(page).getByRole('list', { name: 'Addresses' }).getByRole('listitem');
  await expect(addresses.first()).toContainText('203.0.113.8');
  await expect(addresses.first()).toContainText('Amsterdam, Netherlands');
  await expect(addresses.first()).toContainText('malicious');
  await expect(addresses.first()).toContainText('a control server');
  await expect(addresses.nth(1)).not.toContainText('malicious');
  await expectAccessible(page);
  await page.getByRole('tab', { name: 'List' }).click();
  await expect(page.getByRole('region', { name: 'Connections of the map' }).locator('.ag-row', { hasText: '2 clients (malicious)' }).first()).toBeVisible();
});

test('the map is walked by keyboard: from box to box, opened, and pinned for good', async ({ page }) => {
  await openMap(page);
  await find(page, 'machine:app-01', 'app-01');
  await page.getByTestId('map').focus();
  const spoken = page.getByRole('main').getByRole('status').filter({ hasText: ' in, ' });
  await expect(spoken).toContainText('app-01');
  await expect(canvas(page)).toHaveAttribute('data-open', '0');
  // Opened, its processes are the next things below.
  await page.keyboard.press('Enter');
  await expect(canvas(page)).toHaveAttribute('data-open', '1');
  await page.keyboard.press('ArrowDown');
  await expect(panel(page).getByRole('heading', { name: 'Java', level: 2 })).toBeVisible();
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await expect(canvas(page)).toHaveAttribute('data-open', '0');
  await page.keyboard.press('ArrowLeft');
  await expect(spoken).toContainText(/web-0[12]/);
  const kept = page.waitForResponse((response) => response.url().includes('/map-pins') && response.request().method() === 'PATCH');
  await page.keyboard.press('p');
  expect((await kept).status()).toBe(200);
  const unpin = page.getByRole('button', { name: 'Unpin all' });
  await expect(unpin).toBeVisible();
  // Another browser that has never been here: shared, they are everybody's, and let go, nobody's.
  await page.context().clearCookies();
  await page.evaluate(() => localStorage.clear());
  await openMap(page);
  await expect(unpin).toBeVisible();
  const choose = async (item: string) => {
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: item }).click();
  };
  await choose('Share the pins with everybody');
  await expect(unpin).toBeVisible();
  await unpin.click();
  await expect(unpin).toHaveCount(0);
  await choose('Show the shared pins again');
  await expect(unpin).toBeVisible();
  await choose('Share the pins no longer');
  await expect(unpin).toHaveCount(0);
  await page.reload();
  await expect(canvas(page)).toHaveAttribute('data-painted', /\d/);
  await expect(unpin).toHaveCount(0);
});

test('the list has the same machines and connections, with health and alerts that lead to their page', async ({ page }) => {
  await signIn(page);
  await openPage(page, 'Map');
  await page.getByRole('tab', { name: 'List' }).click();
  const machines = page.getByRole('region', { name: 'Machines of the map' });
  await page.getByRole('searchbox', { name: 'Search the map' }).fill('machine:app-01');
  await expect(machines.locator('.ag-row')).toHaveCount(1);
  await expect(machines.locator('.ag-row')).toContainText('app-01');
  const failing = page.getByRole('region', { name: 'Connections of the map' }).locator('.ag-row', { hasText: 'mail.example.net' });
  await failing.locator('.ag-cell').first().click();
  await expect(panel(page)).toContainText('Java on app-01 → mail.example.net');
  await expect(panel(page).getByRole('tabpanel')).toContainText('30');
  await page.getByRole('searchbox', { name: 'Search the map' }).fill(`machine:${machine}`);
  const own = machines.locator('.ag-row', { hasText: machine }).first();
  await expect(own).toContainText('in maintenance');
  await own.locator('.ag-cell').first().click();
  await expect(panel(page).getByRole('tabpanel')).toContainText('in maintenance');
  await panel(page).getByRole('tab', { name: 'Alerts (1)' }).click();
  await panel(page).getByRole('link', { name: 'The tank is full' }).click();
  await expect(page.getByRole('heading', { name: 'Active alerts', level: 1 })).toBeVisible();
  await expect(page.getByRole('complementary', { name: 'Alert' }).getByRole('heading', { name: 'The tank is full' })).toBeVisible();
});

test('a line tells its course, and the map is saved as a picture and as a drawing', async ({ page }) => {
  await openMap(page);
  await page.goto('/map?focus=app-01');
  await expect(canvas(page)).toHaveAttribute('data-boxes', '5');
  const save = async (item: string) => {
    await page.getByRole('button', { name: 'More' }).click();
    const saved = page.waitForEvent('download');
    await page.getByRole('menuitem', { name: item }).click();
    return readFileSync(await (await saved).path());
  };
  const svg = (await save('Save as drawing (SVG)')).toString();
  for (const name of ['app-01', 'web-01', 'web-02', 'db-01', 'mail.example.net', 'Java']) expect(svg).toContain(name);
  const png = await save('Save as picture (PNG)');
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  expect(png.readUInt32BE(16)).toBeGreaterThan(800);
  await page.getByRole('tab', { name: 'List' }).click();
  await page.getByRole('region', { name: 'Connections of the map' }).locator('.ag-row', { hasText: 'Postgres on db-01' }).locator('.ag-cell').first().click();
  await panel(page).getByRole('tab', { name: 'Performance' }).click();
  await expect(panel(page).getByRole('img', { name: 'Traffic, bytes' })).toBeVisible();
  await expect(panel(page).getByRole('img', { name: 'Response time, ms' })).toBeVisible();
});

test('time goes back on the strip, where nothing was says so, and returns to now', async ({ page }) => {
  await openMap(page);
  const live = page.getByRole('switch', { name: 'Live' });
  await expect(live).toBeChecked();
  const shown = page.getByTestId('map-window');
  const now = await shown.innerText();
  await page.getByRole('slider', { name: 'End of the window' }).press('PageDown');
  await expect(live).not.toBeChecked();
  await expect(shown).not.toHaveText(now);
  await page.goto('/map?to=2020-01-01T00:00:00.000Z');
  await expect(page.getByText('Nothing is known of this time')).toBeVisible();
  await page.getByRole('button', { name: 'Show now' }).click();
  await expect(canvas(page)).toHaveAttribute('data-painted', /\d/);
  await page.goto('/map?focus=nobody');
  await expect(page.getByText('“nobody” is not on the map of this window')).toBeVisible();
  await page.getByRole('button', { name: 'Show the whole workspace' }).click();
  await expect(canvas(page)).toHaveAttribute('data-painted', /\d/);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test('the map, its panels, its legend and its lists pass the accessibility check', async ({ page }) => {
      await openMap(page);
      await find(page, 'machine:app-01', 'app-01');
      await expectAccessible(page);
      for (const tab of ['Connections', 'Performance', 'Events', 'Alerts']) {
        await panel(page).getByRole('tab', { name: tab }).click();
        await expectAccessible(page);
      }
      await panel(page).getByRole('button', { name: 'Show only its dependencies' }).click();
      await expect(page.getByRole('group', { name: 'Focus' })).toBeVisible();
      await page.getByRole('button', { name: 'Legend' }).click();
      await expect(page.getByRole('heading', { name: 'What it means' })).toBeVisible();
      await expectAccessible(page);
      await page.keyboard.press('Escape');
      await page.getByRole('tab', { name: 'List' }).click();
      await expect(page.getByRole('region', { name: 'Connections of the map' }).locator('.ag-row').first()).toBeVisible();
      await expectAccessible(page);
    });
  });
}
