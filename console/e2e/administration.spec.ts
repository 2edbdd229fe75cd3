// Administration: how agents join, Run As accounts and profiles, gateways. Every page and dialog in both themes.
import { expect } from '@playwright/test';
import { cell, expectAccessible, openTab, signIn, test } from './steps';

test('a token is made with the command line to paste, listed, and revoked', async ({ page }) => {
  await signIn(page);
  await openTab(page, 'Administration', 'Enrolment');
  await page.getByRole('button', { name: 'Create token…' }).click();
  await page.getByRole('textbox', { name: 'For' }).fill('a web server');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  const command = page.getByRole('region', { name: 'Command for the new machine' });
  await expect(command).toContainText(/printf '%s\\n' '\S{20,}' \| sudo watchkeeper-agent install --server \S+:\d+ .*--ca-fingerprint [0-9a-f]{64} --token-file -/);
  await page.getByRole('button', { name: 'Done' }).click();
  await expect(cell(page, 'a web server')).toBeVisible();
  // By keyboard: Space selects the row that has the focus.
  await cell(page, 'a web server').focus();
  await page.keyboard.press('Space');
  await page.getByRole('button', { name: 'Revoke…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(cell(page, 'a web server')).toHaveCount(0);
});

test('a Run As account is added, distributed, given another secret, used by a profile, and removed', async ({ page, expected }) => {
  await signIn(page);
  await openTab(page, 'Administration', 'Run As accounts');
  await page.getByRole('button', { name: 'Add account…' }).click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('reporting');
  await page.getByRole('textbox', { name: 'User name' }).fill('reporter');
  await page.getByLabel('Password').fill('a secret that nobody sees');
  await page.keyboard.press('Enter');
  const panel = page.getByRole('complementary', { name: 'Run As account' });
  await expect(panel).toContainText('No agent gets this account');
  await page.getByRole('button', { name: 'Distribution…' }).click();
  await page.getByRole('group', { name: 'Agents that get the secret' }).getByRole('checkbox').first().check();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(panel).not.toContainText('No agent gets this account');
  await page.getByRole('button', { name: 'Change secret…' }).click();
  await page.getByLabel('Password').fill('another one');
  await page.getByRole('button', { name: 'Change', exact: true }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  expect(await page.content()).not.toContain('another one');

  await page.getByRole('tab', { name: 'Run As profiles' }).click();
  await cell(page, 'Microsoft.Unix.PrivilegedAccount').click();
  await page.getByRole('button', { name: 'Use an account…' }).click();
  await page.getByRole('combobox', { name: 'Account' }).selectOption({ label: 'reporting (Basic)' });
  await page.getByRole('button', { name: 'Use it' }).click();
  const used = page.getByRole('list', { name: 'Accounts of the profile' });
  await expect(used).toContainText('reporting for all objects');
  // An account in use stays.
  await page.getByRole('tab', { name: 'Run As accounts' }).click();
  await cell(page, 'reporting').click();
  expected.add(409);
  await page.getByRole('button', { name: 'Remove…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByRole('main').getByRole('alert')).toContainText('end that first');
  await page.getByRole('tab', { name: 'Run As profiles' }).click();
  await cell(page, 'Microsoft.Unix.PrivilegedAccount').click();
  await page.getByRole('button', { name: 'No longer use reporting for all objects' }).click();
  await expect(used.getByRole('listitem')).toHaveCount(0);
  await page.getByRole('tab', { name: 'Run As accounts' }).click();
  await cell(page, 'reporting').click();
  await page.getByRole('button', { name: 'Remove…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(page.getByText('No Run As accounts')).toBeVisible();
});

test('a resource pool is made of a server, shows who is in it, and is removed', async ({ page }) => {
  await signIn(page);
  await openTab(page, 'Administration', 'Resource pools');
  await page.locator('.ag-row', { hasText: 'every management server' }).first().locator('.ag-cell').first().click();
  const panel = page.getByRole('complementary', { name: 'Resource pool' });
  await expect(panel).toContainText('alive');
  await page.getByRole('button', { name: 'Create pool…' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Web tests');
  await page.getByRole('dialog').getByRole('combobox').first().selectOption('member');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await cell(page, 'Web tests').click();
  await expect(panel.getByRole('heading', { name: 'Web tests' })).toBeVisible();
  await expect(panel).toContainText('no object without an agent names this pool');
  await page.getByRole('button', { name: 'Remove…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(cell(page, 'Web tests')).toHaveCount(0);
});

test('heartbeats are set for all agents and for one, which then follows the others again', async ({ page }) => {
  await signIn(page);
  await openTab(page, 'Administration', 'Settings');
  const table = page.getByRole('table', { name: 'Heartbeat settings' });
  await expect(table.getByRole('row', { name: 'All others' })).toContainText('60');
  await page.getByRole('button', { name: 'Setting for one agent…' }).click();
  await page.getByRole('combobox', { name: 'Agent' }).selectOption({ index: 1 });
  await page.getByRole('spinbutton', { name: 'Seconds between two heartbeats' }).fill('4000');
  await expect(page.getByText('A whole number from 1 to 3,600')).toBeVisible();
  await page.getByRole('spinbutton', { name: 'Seconds between two heartbeats' }).fill('20');
  await page.getByRole('spinbutton', { name: 'Heartbeats that may be missed' }).fill('5');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(table.getByRole('row', { name: '120' })).toBeVisible();
  await page.getByRole('button', { name: /follows the setting for all/ }).click();
  await expect(table.getByRole('row', { name: '120' })).toHaveCount(0);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test('the pages and dialogs of administration pass the accessibility check', async ({ page }) => {
      await signIn(page);
      await openTab(page, 'Administration', 'Enrolment');
      await page.getByRole('button', { name: 'Create token…' }).click();
      await expect(page.getByRole('dialog')).toBeVisible();
      await expectAccessible(page);
      await page.keyboard.press('Escape');
      await expect(page.getByRole('dialog')).toHaveCount(0);
      await page.getByRole('tab', { name: 'Gateways' }).click();
      await expect(page.getByText('No gateways')).toBeVisible();
      await expectAccessible(page);
      await page.getByRole('tab', { name: 'Run As accounts' }).click();
      await page.getByRole('button', { name: 'Add account…' }).click();
      await expect(page.getByRole('group', { name: 'Agents that get the secret' }).getByRole('checkbox').first()).toBeVisible();
      await expectAccessible(page);
      await page.keyboard.press('Escape');
      await expect(page.getByRole('dialog')).toHaveCount(0);
      await page.getByRole('tab', { name: 'Run As profiles' }).click();
      await page.locator('.ag-row .ag-cell').first().click();
      await page.getByRole('button', { name: 'Use an account…' }).click();
      await expect(page.getByRole('dialog')).toBeVisible();
      await expectAccessible(page);
      await page.keyboard.press('Escape');
      await expect(page.getByRole('dialog')).toHaveCount(0);
      await page.getByRole('tab', { name: 'Resource pools' }).click();
      await page.locator('.ag-row .ag-cell').first().click();
      await expect(page.getByRole('complementary', { name: 'Resource pool' })).toBeVisible();
      await page.getByRole('button', { name: 'Create pool…' }).click();
      await expect(page.getByRole('dialog')).toBeVisible();
      await expectAccessible(page);
      await page.keyboard.press('Escape');
      await expect(page.getByRole('dialog')).toHaveCount(0);
      await page.getByRole('tab', { name: 'Settings' }).click();
      await expect(page.getByRole('radio').first()).toBeVisible();
      await expect(page.getByRole('table', { name: 'Heartbeat settings' })).toBeVisible();
      await expectAccessible(page);
    });
  });
}
