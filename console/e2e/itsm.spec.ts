// Service desks, with an emulated ServiceNow behind them: the form that says what is wrong, the dashboard, the connector's
// log, and work items on alerts, machines and the map. The tests run in their order: the first one adds the connection.
import { expect, type Page } from '@playwright/test';
import { cell, expectAccessible, openPage, signIn, test } from './steps';

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
  /** The number of the incident that an alert about the machine has made, over the connection Tickets. */
  ofAlert: string;
}

const desk = JSON.parse(process.env.DESK ?? '{}') as Desk;
const panel = (page: Page) => page.getByRole('complementary', { name: 'Connection' });

async function openItsm(page: Page, tab: 'Dashboard' | 'ITSM connections'): Promise<void> {
  await openPage(page, 'ITSM connector', 'IT service management');
  await page.getByRole('tab', { name: tab }).click();
}

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

const part = (page: Page, title: string | RegExp) => page.getByRole('region', { name: title });

/** The dashboard with all that the desk has. */
async function openDashboard(page: Page): Promise<void> {
  await signIn(page);
  await openItsm(page, 'Dashboard');
  await expect(page.getByRole('link', { name: 'Work items: 5, of all types' })).toBeVisible();
}

/** Runs the query that a link has opened. */
async function runOpened(page: Page, part: string): Promise<void> {
  await expect(page.locator('.monaco-editor .view-lines')).toContainText(part);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
}

test('the dashboard counts work items by state, priority, type, time and computer, and leads to them', async ({ page }) => {
  await openDashboard(page);
  for (const figure of ['Open incidents: 3, of 4', 'Open change requests: 1, of 1']) await expect(page.getByRole('link', { name: figure })).toBeVisible();
  const connections = part(page, 'Connections').getByRole('listitem');
  await expect(connections.filter({ hasText: 'Desk' })).toContainText('ServiceNow');
  await expect(connections.filter({ hasText: 'Tickets' })).toContainText(/\d+ log records/);
  const bar = (title: string | RegExp, name: string) => part(page, title).getByRole('link', { name, exact: true });
  await expect(bar('By type', 'Incidents: 4 work items')).toBeVisible();
  await expect(bar('By type', 'Change requests: 1 work items')).toBeVisible();
  await expect(bar('By state', 'Closed: 1 work items')).toBeVisible();
  await expect(bar('By priority', '1 - Critical: 1 work items')).toBeVisible();
  await expect(bar('Top configuration items', 'printer-7: 1 work items')).toBeVisible();
  await expect(bar(/^Computers with open work items/, `${desk.machine}: 2 open work items`)).toBeVisible();
  await part(page, /^Computers with open work items/).getByRole('button', { name: `Open ${desk.machine}` }).click();
  await expect(page.getByRole('heading', { name: desk.machine, level: 1 })).toBeVisible();
  await page.goBack();
  await bar('By priority', '1 - Critical: 1 work items').click();
  await runOpened(page, 'Priority_s ==');
  await expect(cell(page, desk.number)).toBeVisible();
  await page.goBack();
  // a day of the chart: what came and went then
  const chart = part(page, 'Opened and done, by the day').locator('canvas');
  await chart.click();
  await expect(page.locator('.monaco-editor .view-lines')).toContainText('Opened >=');
  await page.goBack();
  await page.getByRole('link', { name: /^Connector status:/ }).click();
  await runOpened(page, 'ServiceDeskLog_CL');
  await expect(cell(page, 'Success')).toBeVisible();
});

test('an alert shows its work item, in the list and in its panel, with the way to it', async ({ page }) => {
  await signIn(page);
  await openPage(page, 'Alerts', 'Active alerts');
  const link = page.locator('.ag-cell').getByRole('link', { name: desk.ofAlert });
  await expect(link).toHaveAttribute('href', new RegExp(`^${desk.url}/nav_to.do`));
  await cell(page, 'leak').click();
  const alert = page.getByRole('complementary', { name: 'Alert' });
  await expect(alert.getByRole('link', { name: desk.ofAlert })).toBeVisible();
  await expect(alert).toContainText('Incident · ');
  await expect(alert).toContainText('Tickets');
});

test('a machine shows its open work items, on its page and on the map with their number', async ({ page }) => {
  await signIn(page);
  await page.goto(`/machines/${encodeURIComponent(desk.machine)}`);
  await page.getByRole('tab', { name: 'Work items (2)' }).click();
  const items = page.getByRole('list', { name: 'Open work items' }).getByRole('listitem');
  await expect(items.filter({ hasText: 'The tank is full' }).filter({ hasText: 'Incident' })).toHaveCount(1);
  await expect(items.getByRole('link', { name: desk.number })).toHaveAttribute('href', new RegExp(`^${desk.url}/`));
  await expect(items.getByRole('link', { name: desk.ofAlert })).toBeVisible();
  await page.goto('/map');
  const search = page.getByRole('searchbox', { name: 'Search the map' });
  await search.fill(`machine:${desk.machine}`);
  await expect(page.getByRole('group', { name: 'Map', exact: true }).getByRole('status')).toContainText('found');
  await search.press('Enter');
  const selected = page.getByRole('complementary', { name: 'Selected on the map' });
  await selected.getByRole('tab', { name: 'Work items (3)' }).click();
  await expect(selected.getByRole('link', { name: desk.number })).toBeVisible();
  await expect(selected).toContainText('INC-7');
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });
    test('the dashboard, the connections and the work items of a machine pass the accessibility check', async ({ page }) => {
      await openDashboard(page);
      await expect(part(page, 'Opened and done, by the day').locator('canvas')).toBeVisible();
      await expectAccessible(page);
      await openItsm(page, 'ITSM connections');
      await cell(page, 'Desk').click();
      await expect(panel(page)).toContainText('all read');
      await expectAccessible(page);
      await panel(page).getByRole('button', { name: 'Edit' }).click();
      await expect(page.getByRole('dialog')).toBeVisible();
      await expectAccessible(page);
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
      await page.goto(`/machines/${encodeURIComponent(desk.machine)}`);
      await page.getByRole('tab', { name: 'Work items (2)' }).click();
      await expect(page.getByRole('list', { name: 'Open work items' })).toBeVisible();
      await expectAccessible(page);
    });
  });
}
