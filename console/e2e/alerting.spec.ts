// Alert rules: made with a preview, listed, disabled, removed; action groups; the accessibility of the pages.
import { expect } from '@playwright/test';
import { cell, expectAccessible, openPage, openTab, signIn, test } from './steps';

test('a rule is previewed, made, disabled and deleted', async ({ page }) => {
  await signIn(page);
  await openPage(page, 'Alert rules');
  await page.getByRole('button', { name: 'New rule' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('console-rule');
  await dialog.getByLabel('Query (KQL)').fill('Heartbeat');
  await dialog.getByLabel('Split by').fill('Computer');
  await dialog.getByLabel('Threshold').fill('1000000');
  await dialog.getByRole('button', { name: 'Preview over the last 7 days' }).click();
  await expect(dialog.getByRole('status')).toContainText('would have fired 0 times', { timeout: 60_000 });
  await expect(dialog.getByRole('status')).toBeInViewport();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole('row').filter({ hasText: 'console-rule' })).toContainText('every 5 minutes');
  await cell(page, 'console-rule').click();
  const panel = page.getByRole('complementary', { name: 'Alert rule' });
  await expect(panel).toContainText('more than 1000000');
  await panel.getByRole('button', { name: 'Disable' }).click();
  await expect(panel.getByRole('button', { name: 'Enable' })).toBeVisible();
  await panel.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete the rule' }).click();
  await expect(page.locator('.ag-cell', { hasText: 'console-rule' })).toHaveCount(0);
});

test('a rule of the activity log says which events it is about', async ({ page }) => {
  await signIn(page);
  await openPage(page, 'Alert rules');
  await expect(page.getByRole('row').filter({ hasText: 'who-changes' })).toContainText('at each event');
  await cell(page, 'who-changes').click();
  const panel = page.getByRole('complementary', { name: 'Alert rule' });
  await expect(panel).toContainText('category is Administrative, and level is Error or caller contains nobody');
  await expect(panel.getByRole('button', { name: 'Edit as JSON' })).toBeVisible();
  await expect(panel.getByRole('button', { name: 'Edit', exact: true })).toHaveCount(0);
  await panel.getByRole('button', { name: 'Close details' }).click();
  await page.getByRole('button', { name: 'New activity log rule' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill('refused-sign-ins');
  await dialog.getByLabel('Fires at').selectOption('Security');
  await dialog.getByRole('button', { name: 'Add a filter' }).click();
  await dialog.getByLabel('Field').selectOption('status');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByRole('alert')).toContainText('Every filter needs a value');
  await dialog.getByLabel('Value').fill('Refused');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toHaveCount(0);
  await cell(page, 'refused-sign-ins').click();
  await expect(panel).toContainText('category is Security, and status is Refused');
  await panel.getByRole('button', { name: 'Edit', exact: true }).click();
  await expect(dialog.getByLabel('Value')).toHaveValue('Refused');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await panel.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete the rule' }).click();
  await expect(page.locator('.ag-cell', { hasText: 'refused-sign-ins' })).toHaveCount(0);
});

test('a processing rule is made with its form, read again, and seen as JSON', async ({ page }) => {
  await signIn(page);
  await openTab(page, 'Alert rules', 'Processing rules');
  await page.getByRole('button', { name: 'New processing rule' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog.getByRole('alert')).toContainText('Give the rule a name.');
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill('weekends');
  await dialog.getByRole('group', { name: 'Filter 1' }).getByLabel('Field').selectOption('AlertRuleName');
  await dialog.getByLabel('Any of, with commas').fill('silent, full');
  await dialog.getByLabel('Repeats').selectOption('weekly');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toHaveCount(0);
  const row = page.getByRole('row').filter({ hasText: 'weekends' });
  await expect(row).toContainText('Alert rule name is silent or full');
  await expect(row).toContainText('Saturday, Sunday 20:00–07:00');
  await cell(page, 'weekends').click();
  await expect(dialog.getByLabel('Any of, with commas')).toHaveValue('silent, full');
  await dialog.getByRole('button', { name: 'Edit as JSON' }).click();
  await expect(dialog.getByLabel('Properties (JSON)')).toHaveValue(/"recurrenceType": "Weekly"/);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test('the pages of alert rules pass the accessibility check', async ({ page }) => {
      await signIn(page);
      for (const [tab, button] of [['Alert rules', 'New rule'], ['Action groups', 'New action group'], ['Processing rules', 'New processing rule']] as const) {
        await openTab(page, 'Alert rules', tab);
        await expectAccessible(page);
        await page.getByRole('button', { name: button }).click();
        await expect(page.getByRole('dialog')).toBeVisible();
        await expectAccessible(page);
        await page.getByRole('button', { name: 'Cancel' }).click();
      }
      await openTab(page, 'Alert rules', 'Deliveries');
      await expectAccessible(page);
    });
  });
}
