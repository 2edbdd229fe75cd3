// Service desks, with an emulated ServiceNow behind them: the form that says what is wrong, the dashboard and its ways to
// the records, an alert's work item, the work items of a machine on its page and on the map.
import { expect, type Page } from '@playwright/test';
import { cell, expectAccessible, openPage, openTab, runQuery, settled, signIn, test } from './steps';

/** What is connected, and what it has: incidents and a change request, some of them about a machine. */
interface Desk {
  url: string;
  user: string;
  password: string;
  clientId: string;
  clientSecret: string;
  authority: string;
  machine: string;
  /** The number of the open incident about the machine. */
  number: string;
}

const desk = JSON.parse(process.env.DESK ?? '{}') as Desk;
const panel = (page: Page) => page.getByRole('complementary', { name: 'Connection' });
const items = (page: Page) => page.getByRole('list', { name: 'Open work items' });

async function openItsm(page: Page, tab: 'Dashboard' | 'ITSM connections'): Promise<void> {
  await openPage(page, 'ITSM connector', 'IT service management');
  await page.getByRole('tab', { name: tab }).click();
}

test.describe.configure({ mode: 'serial' });

test('a connection is tested when it is saved; what is wrong stands at its field, and secrets never come back', async ({ page, expected }) => {
  expected.add(400);
  await signIn(page);
  await openItsm(page, 'ITSM connections');
  await page.getByRole('button', { name: 'Add connection' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toContainText('Give the connection a name.');
  await dialog.getByLabel('Connection name').fill('Desk');
  await dialog.getByLabel('Server URL').fill(desk.url);
  await dialog.getByLabel('User name').fill(desk.user);
  await dialog.getByLabel('Password').fill('not this one');
  await dialog.getByLabel('Client ID').fill(desk.clientId);
  await dialog.getByLabel('Client secret').fill(desk.clientSecret);
  await dialog.getByLabel('Past days to sync').fill('121');
  await expect(dialog).toContainText('Write 1 to 120.');
  await dialog.getByLabel('Past days to sync').fill('30');
  await dialog.getByRole('button', { name: 'Save' }).click();
  // nobody knows its authority yet: the field for it opens and has the cursor
  await expect(dialog).toContainText('certificate is not trusted');
  await expect(dialog.getByLabel('Certificates of your own authority')).toBeFocused();
  await dialog.getByLabel('Certificates of your own authority').fill(desk.authority);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toContainText('The user name or the password is wrong');
  await expect(dialog.getByLabel('User name')).toBeFocused();
  await dialog.getByLabel('Password').fill(desk.password);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toHaveCount(0);
  await expect(page.getByRole('status').filter({ hasText: 'Desk is saved' })).toBeVisible();
  await expect(panel(page)).toContainText('Connected');
  await expect(panel(page).getByText('all read')).toHaveCount(2);
  await expect(panel(page)).toContainText('Disk');
  await panel(page).getByRole('button', { name: 'Sync now' }).click();
  await panel(page).getByRole('button', { name: 'Test', exact: true }).click();
  await expect(panel(page)).toContainText('ServiceNow answers');
  await panel(page).getByRole('button', { name: 'Edit' }).click();
  await expect(dialog.getByLabel('Password')).toHaveValue('');
  await dialog.getByLabel('Server URL').fill(`${desk.url}/elsewhere`);
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toContainText('The URL is another one: write the password again.');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
});

test('the dashboard counts work items, and each number lists them on the Logs page', async ({ page }) => {
  await signIn(page);
  await openItsm(page, 'Dashboard');
  await expect(page.getByRole('link', { name: /^Open incidents: 2, of 3/ })).toBeVisible();
  await expect(page.getByRole('link', { name: /^Connector status: 1 connected/ })).toBeVisible();
  await expect(page.getByRole('list', { name: 'Connections and their status' })).toContainText('Connected');
  await settled(page);
  await page.getByRole('list', { name: 'Work items by state' }).getByRole('link', { name: 'New: 3 work items' }).click();
  await expect(page.getByRole('heading', { name: 'Logs', level: 1 })).toBeAttached();
  await page.locator('.monaco-editor textarea').first().focus();
  await page.keyboard.press('Shift+Enter');
  await expect(page.getByTestId('result-grid')).toHaveAttribute('data-rows', '3');
  await openItsm(page, 'Dashboard');
  await page.getByRole('list', { name: 'Computers with open work items' }).getByRole('link', { name: `${desk.machine}: 1 open work items` }).click();
  await page.locator('.monaco-editor textarea').first().focus();
  await page.keyboard.press('Shift+Enter');
  await expect(page.getByTestId('result-grid')).toHaveAttribute('data-rows', '1');
  await openItsm(page, 'Dashboard');
  await page.getByRole('link', { name: /^Connector status/ }).click();
  await expect(page.locator('.monaco-editor .view-lines')).toContainText('ServiceDeskLog_CL');
});

test('the open work items of a machine are on its page and on the map', async ({ page }) => {
  await signIn(page);
  await page.goto(`/machines/${encodeURIComponent(desk.machine)}`);
  await page.getByRole('tab', { name: 'Work items (1)' }).click();
  await expect(items(page).getByRole('link', { name: desk.number })).toHaveAttribute('href', new RegExp(`^${desk.url}/nav_to\\.do\\?uri=incident\\.do.*${desk.number}$`));
  await page.getByRole('button', { name: 'Show on the map' }).click();
  const search = page.getByRole('searchbox', { name: 'Search the map' });
  await search.fill(`machine:${desk.machine}`);
  await expect(page.getByRole('group', { name: 'Map', exact: true }).getByRole('status')).toContainText('found');
  await search.press('Enter');
  // beside the desk's incident, the ticket that the machine's open alert names
  await page.getByRole('complementary', { name: 'Selected on the map' }).getByRole('tab', { name: 'Work items (2)' }).click();
  await expect(items(page)).toContainText(desk.number);
  await expect(items(page)).toContainText('INC-7');
});

test('an alert becomes a work item, with its number and link on the alert', async ({ page }) => {
  await signIn(page);
  await openTab(page, 'Alert rules', 'Action groups');
  await page.getByRole('button', { name: 'New action group' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill('desk-people');
  await dialog.getByLabel('Short name').fill('desk');
  await dialog.getByLabel('Receiver', { exact: true }).fill('ticket');
  await dialog.getByLabel('Kind').selectOption('ITSM');
  await dialog.getByLabel('Connection').selectOption('Desk');
  await expect(dialog.getByLabel('Work item type').locator('option')).toHaveText(['Incident', 'Event', 'Alert']);
  await dialog.getByLabel('Template').selectOption('Disk');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toHaveCount(0);
  await cell(page, 'desk-people').click();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('tab', { name: 'Alert rules' }).click();
  await page.getByRole('button', { name: 'New rule' }).click();
  await dialog.getByLabel('Name').fill('desk-rule');
  await dialog.getByLabel('Query (KQL)').fill('Heartbeat');
  await dialog.getByRole('combobox', { name: 'Action groups' }).click();
  await page.getByRole('option', { name: 'desk-people' }).click();
  await page.keyboard.press('Escape');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(dialog).toHaveCount(0);
  await openPage(page, 'Alerts', 'Active alerts');
  const link = page.getByRole('row').filter({ hasText: 'desk-rule' }).getByRole('link', { name: /^INC\d+/ });
  await expect(link).toHaveAttribute('href', new RegExp(`^${desk.url}/nav_to\\.do`));
  await cell(page, 'desk-rule').click();
  await expect(page.getByRole('complementary', { name: 'Alert' })).toContainText(/INC\d+ Incident · Open · Desk/);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test('the pages of service desks pass the accessibility check', async ({ page }) => {
      await signIn(page);
      await openItsm(page, 'Dashboard');
      await expect(page.getByRole('list', { name: 'Work items by state' })).toBeVisible();
      await expectAccessible(page);
      await page.getByRole('tab', { name: 'ITSM connections' }).click();
      await cell(page, 'Desk').click();
      await expect(panel(page)).toContainText('Connected');
      await expectAccessible(page);
      await panel(page).getByRole('button', { name: 'Edit' }).click();
      await expect(page.getByRole('dialog')).toBeVisible();
      await expectAccessible(page);
    });
  });
}

test('a connection is deleted, and its records stay', async ({ page }) => {
  await signIn(page);
  await openItsm(page, 'ITSM connections');
  await cell(page, 'Desk').click();
  await panel(page).getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete the connection' }).click();
  await expect(page.getByText('No service desk is connected')).toBeVisible();
  await runQuery(page, 'ServiceDesk_CL\n| distinct ServiceDeskId_s');
  await expect(page.getByTestId('result-grid')).toHaveAttribute('data-rows', /^[4-9]$/);
});
