// Monitoring: performance and diagrams. The server has the pack Test.Level, and its tank is full.
import { expect } from '@playwright/test';
import { expectAccessible, openObject, openPage, signIn, test } from './steps';

test('performance draws what everyone looks at, and the counters that one chooses', async ({ page }) => {
  await signIn(page);
  await openPage(page, 'Performance');
  const counters = page.getByRole('group', { name: 'Counters' });
  await expect(counters.getByRole('checkbox', { checked: true }).first()).toBeVisible({ timeout: 240_000 });
  await expect(page.getByRole('region', { name: 'Charts' }).locator('canvas').first()).toBeVisible();
  await page.getByRole('button', { name: 'Clear the choice' }).click();
  await expect(page.getByText('No counter is chosen')).toBeVisible();
  await page.getByRole('searchbox', { name: 'Filter counters' }).fill('memory');
  await counters.getByRole('checkbox').first().check();
  await expect(page.getByRole('region', { name: 'Charts' }).getByRole('img')).toHaveCount(1);
  // The choice is in the address.
  await page.reload();
  await expect(page.getByRole('region', { name: 'Charts' }).getByRole('img')).toHaveCount(1);
});

test('the diagram of a computer shows the red tank among what it hosts, and leads to it', async ({ page }) => {
  await signIn(page);
  await openObject(page, 'tank', 'Test.Level.Tank');
  await page.getByRole('tab', { name: 'Diagram' }).click();
  await page.getByRole('navigation', { name: 'Part of' }).getByRole('link').first().click();
  const within = page.getByRole('list', { name: /^Within / }).first();
  await expect(within.getByRole('link', { name: 'tank' })).toBeVisible();
  await expect(within.getByRole('listitem').filter({ hasText: 'Test.Level.Tank' })).toContainText('Critical');
  // By keyboard: the button closes the part.
  const part = page.getByRole('button', { name: /^Close .* within$/ });
  await part.focus();
  await page.keyboard.press('Enter');
  await expect(within).toHaveCount(0);
  await page.getByRole('button', { name: /^Open .* within$/ }).press('Enter');
  await within.getByRole('link', { name: 'tank' }).click();
  await expect(page.getByRole('heading', { name: 'tank', level: 1 })).toBeVisible();
});

test('the actions on alerts stay on one line', async ({ page }) => {
  await signIn(page);
  await openPage(page, 'Alerts', 'Active alerts');
  for (const width of [1280, 1400, 1920]) {
    await page.setViewportSize({ width, height: 800 });
    const lines = async () => {
      const names = ['Acknowledge', 'Set state', 'Owner and comment', 'Close'];
      const boxes = await Promise.all(names.map((name) => page.getByRole('button', { name, exact: true }).boundingBox()));
      return new Set(boxes.map((box) => Math.round((box?.y ?? 0) + (box?.height ?? 0) / 2))).size;
    };
    await expect.poll(lines).toBe(1);
  }
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test('performance, diagram and the dialogs of an object pass the accessibility check', async ({ page }) => {
      await signIn(page);
      await openPage(page, 'Performance');
      await expect(page.getByRole('group', { name: 'Counters' }).getByRole('checkbox').first()).toBeVisible({ timeout: 240_000 });
      await expectAccessible(page);
      await openObject(page, 'tank', 'Test.Level.Tank');
      await page.getByRole('tab', { name: 'Diagram' }).click();
      await expect(page.getByRole('navigation', { name: 'Part of' })).toBeVisible();
      await expectAccessible(page);
      await page.getByRole('tab', { name: 'Properties' }).click();
      await expectAccessible(page);
      await page.getByRole('button', { name: 'Start maintenance' }).click();
      await expect(page.getByRole('dialog')).toBeVisible();
      await expectAccessible(page);
    });
  });
}
