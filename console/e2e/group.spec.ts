// The management group: alerts, state, health explorer, maintenance, tasks, authoring, administration. The server has
// the pack Test.Level, and its tank is full.
import { expect, type Page } from '@playwright/test';
import { cell, expectAccessible, openObject, openPage, signIn, test } from './steps';

const alertName = 'The tank is full';

async function openTank(page: Page): Promise<void> {
  await openObject(page, 'tank', 'Test.Level.Tank');
  await expect(page.getByRole('tree', { name: 'Monitors' })).toBeVisible();
}

test('an alert is found by its text, read, acknowledged, and not closed while its monitor is unhealthy', async ({ page, expected }) => {
  await signIn(page);
  await openPage(page, 'Alerts', 'Active alerts');
  await page.getByRole('searchbox', { name: /Filter alerts/ }).fill('no alert has this');
  await expect(page.locator('.ag-row')).toHaveCount(0);
  await page.getByRole('searchbox', { name: /Filter alerts/ }).fill('tank');
  // By keyboard: Enter opens the row that has the focus.
  await cell(page, alertName).focus();
  await page.keyboard.press('Enter');
  const details = page.getByRole('complementary', { name: 'Alert' });
  await expect(details.getByRole('heading', { name: alertName })).toBeVisible();
  await expect(details).toContainText('tank on ');
  await page.getByRole('button', { name: 'Acknowledge' }).click();
  await expect(cell(page, 'Acknowledged')).toBeVisible();
  await page.getByRole('button', { name: 'Owner and comment' }).click();
  await page.getByLabel('Owner').fill('ada');
  await page.getByLabel('Comment').fill('looking at the pump');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(cell(page, 'ada')).toBeVisible();
  await details.getByRole('tab', { name: 'History' }).click();
  await expect(details.getByRole('list', { name: 'History of the alert' })).toContainText('looking at the pump');
  expected.add(409);
  await page.getByRole('button', { name: 'Close', exact: true }).click();
  await expect(page.getByRole('dialog')).toContainText('not changed');
  await page.getByRole('button', { name: 'Leave as it is' }).click();
  await expect(cell(page, 'Acknowledged')).toBeVisible();
});

test('the state view leads to the health explorer, which says why the tank is red', async ({ page }) => {
  await signIn(page);
  await openTank(page);
  const panel = page.getByRole('complementary', { name: 'Monitor' });
  await expect(panel.getByRole('heading', { name: 'Test.Level.Monitor' })).toBeVisible();
  await expect(panel).toContainText('Critical');
  await expect(panel.getByRole('list', { name: 'Last state change' })).toContainText('95');
  await panel.getByRole('button', { name: 'Recalculate health' }).click();
  await expect(panel.getByRole('status')).toContainText('The agent was told');
  // By keyboard: the arrows walk the tree, and the panel follows.
  await page.getByRole('treeitem', { name: /Entity Health/ }).first().focus();
  await expect(panel.getByRole('heading', { name: 'Entity Health' })).toBeVisible();
  await page.keyboard.press('ArrowDown');
  await expect(panel.getByRole('heading', { name: 'Availability' })).toBeVisible();
});

test('an override of one object is made, shown with where it comes from, listed, and removed', async ({ page }) => {
  await signIn(page);
  await openTank(page);
  const panel = page.getByRole('complementary', { name: 'Monitor' });
  await panel.getByRole('tab', { name: 'Overrides' }).click();
  const values = panel.getByRole('list', { name: 'Effective values' });
  await expect(values).toContainText('default of the pack');
  await panel.getByRole('button', { name: 'Override AlertPriority' }).click();
  await page.getByRole('textbox', { name: 'Value' }).fill('Low');
  await page.getByRole('button', { name: 'Save the override' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(values).toContainText('override for the object tank');
  await openPage(page, 'Authoring');
  await page.getByRole('tab', { name: 'Overrides' }).click();
  await expect(cell(page, 'AlertPriority')).toBeVisible();
  await openTank(page);
  await panel.getByRole('tab', { name: 'Overrides' }).click();
  await panel.getByRole('button', { name: 'Remove the override of AlertPriority' }).click();
  await expect(values).not.toContainText('override for the object tank');
});

test('maintenance begins, is listed and ends', async ({ page }) => {
  await signIn(page);
  await openTank(page);
  await page.getByRole('button', { name: 'Start maintenance' }).click();
  await page.getByLabel('Comment').fill('a new pump');
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await expect(page.getByRole('button', { name: 'End maintenance' })).toBeVisible();
  await openPage(page, 'Maintenance');
  await expect(cell(page, 'a new pump')).toBeVisible();
  await cell(page, 'tank').click();
  await page.getByRole('button', { name: 'End maintenance' }).click();
  await expect(page.getByRole('button', { name: 'Start maintenance' })).toBeVisible();
});

test('a schedule of maintenance is made, disabled and removed', async ({ page }) => {
  await signIn(page);
  await openPage(page, 'Maintenance');
  await page.getByRole('tab', { name: 'Schedules' }).click();
  await page.getByRole('button', { name: 'New schedule…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill('patch day');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await expect(dialog.getByRole('alert')).toContainText('Choose a computer group');
  await dialog.getByLabel('Objects').fill('tank');
  await dialog.getByLabel('Time zone').fill('Europe/Berlin');
  await dialog.getByLabel('Repeats').selectOption('relative');
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Create' }).click();
  await expect(dialog).toHaveCount(0);
  const row = page.getByRole('row').filter({ hasText: 'patch day' });
  await expect(row).toContainText('every month on the second Tuesday');
  await expect(row).toContainText('tank');
  await row.getByRole('checkbox').click();
  await page.getByRole('button', { name: 'Disable' }).click();
  await expect(row.locator('[col-id=enabled]')).toHaveText('No');
  await page.getByRole('button', { name: 'Remove…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(page.getByText('No schedules')).toBeVisible();
});

test('a broken pack is refused with its problems by line; the imported one is shown with what it has', async ({ page, expected }) => {
  await signIn(page);
  await openPage(page, 'Authoring');
  expected.add(422);
  await page.locator('input[type=file]').setInputFiles({ name: 'Broken.xml', mimeType: 'application/xml', buffer: Buffer.from('<ManagementPack>\n<Nonsense>\n') });
  await expect(page.getByText('Broken.xml was not imported')).toBeVisible();
  await expect(page.getByRole('table', { name: 'Problems of the pack' })).toContainText(/\d+:\d+/);
  await page.getByRole('button', { name: 'Dismiss' }).click();
  await cell(page, 'Test.Level').click();
  const panel = page.getByRole('complementary', { name: 'Management pack' });
  await expect(panel).toContainText('All of it runs');
  const [download] = await Promise.all([page.waitForEvent('download'), panel.getByRole('link', { name: 'Export as XML' }).click()]);
  expect(download.suggestedFilename()).toBe('Test.Level.xml');
});

test('administration shows the agent, the pools and the settings', async ({ page }) => {
  await signIn(page);
  await openPage(page, 'Administration');
  await page.locator('.ag-row .ag-cell[col-id=computer]').first().click();
  await expect(page.getByRole('complementary', { name: 'Agent' })).toContainText('connected');
  await page.getByRole('tab', { name: 'Settings' }).click();
  await expect(page.getByRole('radio', { name: 'joins at once' })).toBeChecked();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test('the pages of monitoring pass the accessibility check', async ({ page }) => {
      await signIn(page);
      await openPage(page, 'Alerts', 'Active alerts');
      await cell(page, alertName).click();
      await expect(page.getByRole('complementary', { name: 'Alert' }).getByRole('heading', { name: alertName })).toBeVisible();
      await expectAccessible(page);
      await openTank(page);
      await expect(page.getByRole('list', { name: 'Last state change' })).toBeVisible();
      await expectAccessible(page);
      await openPage(page, 'State');
      await expect(page.locator('.ag-row').first()).toBeVisible();
      await expectAccessible(page);
      await openPage(page, 'Maintenance');
      await expectAccessible(page);
    });

    test('authoring and administration pass the accessibility check', async ({ page }) => {
      await signIn(page);
      await openPage(page, 'Authoring');
      await cell(page, 'Test.Level').click();
      await expect(page.getByRole('heading', { name: 'What cannot run here' })).toBeVisible();
      await expectAccessible(page);
      await page.getByRole('tab', { name: 'Monitors' }).click();
      await expect(page.locator('.ag-row').first()).toBeVisible();
      await expectAccessible(page);
      await openPage(page, 'Administration');
      await expect(page.locator('.ag-row').first()).toBeVisible();
      await expectAccessible(page);
    });
  });
}
