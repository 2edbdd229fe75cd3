// Service desks, with an emulated ServiceNow behind them: the form that says what is wrong.
import { expect, type Page } from '@playwright/test';
import { openPage, signIn, test } from './steps';

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
