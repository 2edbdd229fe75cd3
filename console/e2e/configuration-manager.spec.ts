// Configuration Manager: connected by the wizard, imported, its numbers opened as log queries, its properties and groups.
import { expect, type Locator } from '@playwright/test';
import { readFileSync } from 'node:fs';
import { cell, expectAccessible, openTab, signIn, test } from './steps';

interface Site {
  tenantId: string;
  clientId: string;
  secret: string;
  appIdUri: string;
  address: string;
  userName: string;
  password: string;
  trusted: string;
}

const site = () => JSON.parse(readFileSync(process.env.CONFIGMGR_SITE ?? '', 'utf8')) as Site;
/** A field by its whole label; that of one that is required ends with a star. */
const field = (dialog: Locator, label: string) => dialog.getByLabel(new RegExp(`^${label}\\*?$`)).and(dialog.page().locator('input:not([type=radio]), textarea'));
const shot = (name: string) => (process.env.SHOTS ? { path: `${process.env.SHOTS}/${name}.png` } : undefined);

test('a site is connected, imported and shown', async ({ page }) => {
  const { tenantId, clientId, secret, appIdUri, address, userName, password, trusted } = site();
  await signIn(page);
  await openTab(page, 'Administration', 'Configuration Manager');
  await page.getByRole('button', { name: 'Connect Configuration Manager', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await field(dialog, 'Name').fill('Lab site');
  await dialog.getByLabel('Description').fill('The site of the lab');
  await dialog.getByRole('button', { name: 'Next' }).click();
  for (const [label, value] of [['Azure AD tenant ID', tenantId], ['Client ID', clientId], ['Secret key', secret], ['App ID URI', appIdUri], ['Address of the site', address], ['Windows account', userName], ['Password', `${password}!`], ['Certificate to trust', trusted]] as const) {
    await field(dialog, label).fill(value);
  }
  // a wrong password is said, at its rule
  await dialog.getByRole('button', { name: 'Verify' }).click();
  await expect(dialog.getByRole('list', { name: 'What was verified' })).toContainText('does not take user name and password');
  await expect(dialog.getByRole('button', { name: 'Next' })).toHaveAttribute('aria-disabled', 'true');
  await field(dialog, 'Password').fill(password);
  await dialog.getByRole('button', { name: 'Verify' }).click();
  await expect(dialog.getByRole('status')).toContainText('Successfully verified!');
  await expectAccessible(page);
  await page.screenshot(shot('wizard-app'));
  await dialog.getByRole('button', { name: 'Next' }).click();
  await expect(dialog.getByRole('group', { name: 'Configuration' })).toContainText('default');
  await dialog.getByLabel('All Systems', { exact: true }).check();
  await dialog.getByLabel('Servers', { exact: true }).check();
  await page.screenshot(shot('wizard-collections'));
  await dialog.getByRole('button', { name: 'Next' }).click();
  await expect(dialog.getByRole('group', { name: 'Summary' })).toContainText('All Systems, Servers');
  await dialog.getByRole('button', { name: 'Connect' }).click();
  await expect(dialog.getByRole('status')).toContainText('2 collections with 15 memberships');
  await dialog.getByRole('button', { name: 'Close' }).click();
  // each number opens the query that lists what it counts
  const panel = page.getByRole('complementary', { name: 'Connection' });
  const computers = panel.getByRole('button', { name: '10 computers: open the log query' });
  await expect(computers).toBeVisible();
  await expectAccessible(page);
  await page.screenshot(shot('connection'));
  await computers.click();
  await expect(page.locator('.monaco-editor .view-lines')).toContainText('ComputerGroup');
  await page.locator('.monaco-editor textarea').first().focus();
  await page.keyboard.press('Shift+Enter');
  await expect(cell(page, 'SRV3')).toBeVisible();
  // the properties have two pages
  await openTab(page, 'Administration', 'Configuration Manager');
  await page.getByRole('button', { name: 'Properties…' }).click();
  await expect(field(dialog, 'Client ID')).toHaveValue(clientId);
  await expect(field(dialog, 'Secret key')).toHaveValue('');
  await dialog.getByRole('tab', { name: 'Connection properties' }).click();
  await dialog.getByLabel('Servers', { exact: true }).uncheck();
  await expectAccessible(page);
  await page.screenshot(shot('properties'));
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toHaveCount(0);
  await expect(panel).toContainText('1 collections with 10 memberships');
  // its groups among the others
  await page.getByRole('tab', { name: 'Computer groups' }).click();
  await page.getByRole('button', { name: 'Add computer group…' }).click();
  await field(dialog, 'Name').fill('By hand');
  await dialog.getByLabel('from a list').check();
  await dialog.getByLabel('Computers', { exact: true }).fill('one\ntwo');
  await dialog.getByLabel('Function alias').fill('by_hand');
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(dialog).toHaveCount(0);
  await cell(page, 'By hand').click();
  const group = page.getByRole('complementary', { name: 'Computer group' });
  await expect(group.getByRole('list', { name: 'Computers of the group' })).toContainText('two');
  await expect(group).toContainText('where Computer in (by_hand)');
  await expectAccessible(page);
  await page.screenshot(shot('groups'));
  await cell(page, 'All Systems').click();
  await expect(group).toContainText('SCCM\\P01\\All Systems');
  await cell(page, 'By hand').click();
  await page.getByRole('button', { name: 'Remove…' }).click();
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(page.locator('.ag-cell', { hasText: 'By hand' })).toHaveCount(0);
});
