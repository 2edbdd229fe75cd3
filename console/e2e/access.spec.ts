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

  // a role at one group of objects: its operators see what belongs to the group, and no page of theirs is refused anything
  await administrator.getByRole('tab', { name: 'Role assignments' }).click();
  await administrator.getByRole('button', { name: 'Give a role…' }).click();
  await dialog.getByRole('combobox', { name: 'Who' }).pressSequentially('ev');
  await administrator.getByRole('option', { name: 'eva' }).click();
  await dialog.getByRole('combobox', { name: 'Role' }).selectOption({ label: 'Operator' });
  await dialog.getByRole('combobox', { name: 'Holds at' }).selectOption({ label: 'One group of the management group' });
  await expect(dialog.getByRole('button', { name: 'Give', exact: true })).toBeDisabled();
  await dialog.getByRole('combobox', { name: 'Group' }).click();
  await administrator.getByRole('listbox').getByRole('option').first().click();
  await dialog.getByRole('button', { name: 'Give', exact: true }).click();
  await expect(administrator.getByRole('heading', { name: 'Operator for eva' })).toBeVisible();
  await page.reload();
  await openPage(page, 'State');
  await expect(page.getByText(/^\d+ objects: /)).toBeVisible();
  await openPage(page, 'Performance');
  await expect(page.getByRole('combobox', { name: 'Of' })).toBeVisible();

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

test('roles, apps and groups are made, and every tab is accessible in light and dark', async ({ page }) => {
  await signIn(page);
  await openTab(page, 'Access control', 'App registrations');
  await page.getByRole('button', { name: 'Register an app…' }).click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('pipeline of the tests');
  await page.getByRole('combobox', { name: 'Valid for' }).selectOption({ label: '30 days' });
  await page.getByRole('button', { name: 'Register', exact: true }).click();
  await expect(page.getByRole('region', { name: 'Client secret' })).toHaveText(/^\S{20,}$/);
  const secret = await page.getByRole('region', { name: 'Client secret' }).innerText();
  await page.getByRole('button', { name: 'Done' }).click();
  const app = page.getByRole('complementary', { name: 'App registration' });
  // what ends within 30 days is marked
  await expect(app.getByRole('list', { name: 'Secrets' })).toContainText(/ends in (29|30) days/);
  expect(await page.content()).not.toContain(secret);
  await app.getByRole('button', { name: /^Remove the secret/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(app.getByRole('list', { name: 'Secrets' }).getByRole('listitem')).toHaveCount(0);

  await page.getByRole('tab', { name: 'Groups' }).click();
  await page.getByRole('button', { name: 'Add group…' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('on call');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('button', { name: 'Add member…' }).click();
  await page.getByRole('combobox', { name: 'Who' }).pressSequentially('pipeline');
  await page.getByRole('option', { name: 'pipeline of the tests' }).click();
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(page.getByRole('list', { name: 'Members' })).toContainText('pipeline of the tests');

  await page.getByRole('tab', { name: 'Roles', exact: true }).click();
  await cell(page, 'Log Analytics Reader').click();
  await page.getByRole('button', { name: 'Make one like it…' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('Readers of the tests');
  await page.getByRole('button', { name: 'Make', exact: true }).click();
  const role = page.getByRole('complementary', { name: 'Role' });
  await expect(role.getByRole('heading', { name: 'Readers of the tests' })).toBeVisible();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(cell(page, 'Readers of the tests')).toHaveCount(0);

  for (const theme of ['Light', 'Dark']) {
    await page.getByRole('button', { name: 'Theme' }).click();
    await page.getByRole('menuitemradio', { name: theme }).click();
    await expect(page.locator('html')).toHaveCSS('color-scheme', theme.toLowerCase());
    for (const tab of await page.getByRole('main').getByRole('tablist').first().getByRole('tab').allInnerTexts()) {
      await page.getByRole('tab', { name: tab, exact: true }).click();
      await page.locator('.ag-cell').first().or(page.getByRole('main').getByRole('status').first()).waitFor();
      await expectAccessible(page);
    }
  }
});
