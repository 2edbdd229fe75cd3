// Access control: a person is added, gets a role, sees what it allows and nothing else, and is out when its session ends.
import { expect, type Page } from '@playwright/test';
import { ready } from './ready';
import { cell, expectAccessible, openPage, openQuery, openTab, signIn, test } from './steps';

const password = 'a correct horse battery';

async function enter(page: Page): Promise<void> {
  await page.goto('/');
  await page.getByLabel('User').fill('eva');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

test('a person who is given Reader sees queries and no administration, until the session is ended', async ({ page, browser, expected }) => {
  const elsewhere = await browser.newContext({ baseURL: ready().url, viewport: { width: 1440, height: 900 } });
  const administrator = await elsewhere.newPage();
  await signIn(administrator);
  await openTab(administrator, 'Access control', 'Users');
  // by keyboard alone: the dialog takes the focus, Enter sends it
  await administrator.getByRole('button', { name: 'Add user…' }).focus();
  await administrator.keyboard.press('Enter');
  await expect(administrator.getByRole('textbox', { name: 'Name', exact: true })).toBeVisible();
  await administrator.getByRole('textbox', { name: 'Name', exact: true }).fill('eva');
  await administrator.getByLabel('Password').fill(password);
  await administrator.keyboard.press('Enter');
  const panel = administrator.getByRole('complementary', { name: 'User' });
  await expect(panel).toContainText('may see and do nothing');

  // a person without a role learns whom to ask
  await enter(page);
  await expect(page.getByText('You have no role yet')).toBeVisible();
  await expect(page.getByText(`Ask ${ready().admin_user}`)).toBeVisible();

  await administrator.getByRole('tab', { name: 'Role assignments' }).click();
  await administrator.getByRole('button', { name: 'Give a role…' }).click();
  const dialog = administrator.getByRole('dialog');
  await dialog.getByRole('combobox', { name: 'Who' }).pressSequentially('ev');
  await administrator.getByRole('option', { name: 'eva' }).click();
  await dialog.getByRole('combobox', { name: 'Role' }).selectOption({ label: 'Reader' });
  await expect(dialog).toContainText('May see everything and change nothing.');
  await dialog.getByRole('button', { name: 'What it allows' }).click();
  await expect(dialog.getByRole('region', { name: 'Actions of Reader' })).toContainText('*/read');
  await expectAccessible(administrator);
  await dialog.getByRole('button', { name: 'Give', exact: true }).click();
  await expect(administrator.getByRole('heading', { name: 'Reader for eva' })).toBeVisible();

  await page.reload();
  const pages = page.getByRole('navigation', { name: 'Pages' });
  await expect(pages.getByRole('link', { name: 'Logs' })).toBeVisible();
  await expect(pages.getByRole('link', { name: 'Administration' })).toHaveCount(0);
  await expect(pages.getByRole('link', { name: 'State' })).toHaveCount(0);
  await openQuery(page, 'print Answer = 42');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await expect(page.locator('.ag-cell', { hasText: '42' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Save', exact: true })).toHaveCount(0);
  await openPage(page, 'Access control');
  await expect(cell(page, 'eva')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Give a role…' })).toHaveCount(0);
  await expect(page.getByRole('tab', { name: 'Users' })).toHaveCount(0);

  await page.goto('/administration/agents');
  await expect(page.getByText('You may not see Administration, Agents')).toBeVisible();
  await expect(page.getByText('the role Read-only Operator')).toBeVisible();
  await expect(page.getByText(`Ask ${ready().admin_user}`)).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('link', { name: 'What you may do' }).click();
  await expect(page.getByRole('list', { name: 'Your roles' })).toContainText('Reader at the workspace');
  await expectAccessible(page);

  await administrator.getByRole('tab', { name: 'Sessions' }).click();
  const row = administrator.locator('.ag-row', { hasText: 'eva' });
  await row.getByRole('checkbox').check();
  await administrator.getByRole('button', { name: 'End…' }).click();
  await administrator.getByRole('dialog').getByRole('button', { name: 'End', exact: true }).click();
  await expect(row).toHaveCount(0);
  expected.add(401);
  await pages.getByRole('link', { name: 'Access control' }).click();
  await expect(page.getByLabel('Password')).toBeVisible();
  await elsewhere.close();
});
