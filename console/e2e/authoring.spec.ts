// Authoring: shipped packs, groups by rule, overrides changed in place. The server has the pack Test.Level, whose pack is
// not sealed, and no shipped pack is imported.
import { expect } from '@playwright/test';
import { cell, expectAccessible, openTab, signIn, test } from './steps';

test('a shipped pack is offered, imported with one click, and shown with what runs', async ({ page }) => {
  await signIn(page);
  await openTab(page, 'Authoring', 'Shipped packs');
  const row = page.locator('.ag-row', { hasText: 'Redis' });
  await expect(row).toContainText('Not imported');
  await row.locator('.ag-cell[col-id=name]').click();
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await expect(page.getByText(/^Imported: Redis /)).toBeVisible();
  await expect(row).toContainText('Imported');
  await expect(row).not.toContainText('Not imported');
  await page.getByRole('tab', { name: 'Management packs' }).click();
  await cell(page, 'Watchkeeper.Redis').click();
  const panel = page.getByRole('complementary', { name: 'Management pack' });
  await panel.locator('summary', { hasText: /monitors?$/ }).click();
  await expect(panel.getByRole('list').filter({ hasText: 'Watchkeeper.Redis.' }).first()).toBeVisible();
});

test('a group is made by a rule, holds what matches, follows a change of it, and is removed', async ({ page }) => {
  await signIn(page);
  await openTab(page, 'Authoring', 'Groups');
  await page.getByRole('button', { name: 'Create group…' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Tanks of the works');
  const classes = page.getByRole('combobox', { name: 'Members are objects of the class' });
  await classes.selectOption('Test.Level!Test.Level.Tank');
  await page.getByRole('button', { name: 'Add a condition' }).click();
  await page.getByRole('combobox', { name: 'Property 1' }).selectOption('Name');
  await page.getByRole('combobox', { name: 'Operator 1' }).selectOption('MatchesWildcard');
  await page.getByRole('textbox', { name: 'Value 1' }).fill('ta*');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await cell(page, 'Tanks of the works').click();
  const panel = page.getByRole('complementary', { name: 'Group' });
  const members = panel.getByRole('list', { name: 'Members of the group' });
  await expect(members.getByRole('link', { name: 'tank' })).toBeVisible();
  // The health of the group is that of its members.
  await expect(panel).toContainText('Critical');
  await page.getByRole('button', { name: 'Change…' }).click();
  await expect(page.getByRole('textbox', { name: 'Value 1' })).toHaveValue('ta*');
  await page.getByRole('textbox', { name: 'Value 1' }).fill('pump*');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(panel).toContainText('Nothing matches now');
  await page.getByRole('button', { name: 'Remove…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(cell(page, 'Tanks of the works')).toHaveCount(0);
});

test('an override of a class is made with its monitor, changed in place, and removed', async ({ page }) => {
  await signIn(page);
  await openTab(page, 'Authoring', 'Monitors');
  await page.getByRole('combobox', { name: 'Pack' }).selectOption('Test.Level');
  await cell(page, 'Test.Level.Monitor').click();
  await page.getByRole('button', { name: 'Override…' }).click();
  await page.getByRole('combobox', { name: 'Property or parameter' }).selectOption({ label: 'AlertPriority' });
  await page.getByRole('textbox', { name: 'Value' }).fill('Low');
  await page.getByRole('button', { name: 'Save the override' }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await page.getByRole('combobox', { name: 'Which' }).selectOption('overridden');
  await expect(cell(page, 'Test.Level.Monitor')).toBeVisible();
  await page.getByRole('tab', { name: 'Overrides' }).click();
  await cell(page, 'AlertPriority').click();
  await page.getByRole('button', { name: 'Change…' }).click();
  await page.getByRole('textbox', { name: 'Value' }).fill('Medium');
  await page.getByRole('checkbox', { name: /Enforced/ }).check();
  await page.getByRole('button', { name: 'Save the override' }).click();
  const panel = page.getByRole('complementary', { name: 'Override' });
  await expect(panel).toContainText('Medium');
  await expect(panel).toContainText('wins over others');
  await page.getByRole('button', { name: 'Remove…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByText('No overrides')).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test('the pages and dialogs of authoring pass the accessibility check', async ({ page }) => {
      await signIn(page);
      await openTab(page, 'Authoring', 'Shipped packs');
      await page.locator('.ag-row .ag-cell[col-id=name]').first().click();
      await expectAccessible(page);
      await page.getByRole('tab', { name: 'Groups' }).click();
      await page.locator('.ag-row .ag-cell').first().click();
      await expect(page.getByRole('complementary', { name: 'Group' })).toBeVisible();
      await expectAccessible(page);
      await page.getByRole('button', { name: 'Create group…' }).click();
      await page.getByRole('combobox', { name: 'Members are objects of the class' }).selectOption('Test.Level!Test.Level.Tank');
      await page.getByRole('button', { name: 'Add a condition' }).click();
      await expectAccessible(page);
      await page.keyboard.press('Escape');
      await expect(page.getByRole('dialog')).toHaveCount(0);
      await page.getByRole('tab', { name: 'Monitors' }).click();
      await page.getByRole('combobox', { name: 'Pack' }).selectOption('Test.Level');
      await cell(page, 'Test.Level.Monitor').click();
      await page.getByRole('button', { name: 'Override…' }).click();
      await expect(page.getByRole('combobox', { name: 'Property or parameter' })).toBeVisible();
      await expectAccessible(page);
    });
  });
}
