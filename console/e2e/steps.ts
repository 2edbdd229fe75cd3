// Steps that several tests share.
import AxeBuilder from '@axe-core/playwright';
import { expect, test as base, type Page } from '@playwright/test';
import { ready } from './ready';

/** A test that fails on whatever the browser complains about: errors, refusals by the policy, failed requests. */
export const test = base.extend<{ expected: Set<number> }>({
  /** Statuses that the test provokes. */
  expected: [
    async ({ page }, use) => {
      const expected = new Set<number>();
      const complaints: { status?: number; text: string }[] = [];
      page.on('pageerror', (error) => complaints.push({ text: error.stack ?? error.message }));
      page.on('console', (message) => {
        const status = /status of (\d+)/.exec(message.text());
        if (['error', 'warning'].includes(message.type())) {
          complaints.push({ text: `${message.type()}: ${message.text()}`, ...(status ? { status: Number(status[1]) } : {}) });
        }
      });
      page.on('response', (response) => {
        if (response.status() >= 400) complaints.push({ status: response.status(), text: `${response.status()} ${response.url()}` });
      });
      await use(expected);
      expect(complaints.filter((one) => one.status === undefined || !expected.has(one.status)).map((one) => one.text)).toEqual([]);
    },
    { auto: true },
  ],
});

export async function signIn(page: Page): Promise<void> {
  const { admin_user, admin_password } = ready();
  await page.goto('/');
  await page.getByLabel('User').fill(admin_user);
  await page.getByLabel('Password').fill(admin_password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('navigation', { name: 'Pages' })).toBeVisible();
}

/** The first cell of a list that has this text. */
export const cell = (page: Page, text: string) => page.locator('.ag-cell', { hasText: text }).first();

/** A page by its link in the navigation. */
export async function openPage(page: Page, link: string, heading = link): Promise<void> {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: link, exact: true }).click();
  await expect(page.getByRole('heading', { name: heading, level: 1 })).toBeVisible();
}

/** A tab of a page. */
export async function openTab(page: Page, link: string, tab: string): Promise<void> {
  await openPage(page, link);
  await page.getByRole('tab', { name: tab }).click();
}

/** The page of an object, by its name and class. */
export async function openObject(page: Page, name: string, className: string): Promise<void> {
  await openPage(page, 'State');
  await page.getByRole('searchbox', { name: 'Filter objects' }).fill(name);
  await cell(page, className).click();
  await expect(page.getByRole('heading', { name, level: 1 })).toBeVisible();
}

/** Opens the Logs page with a query and waits for the editor. */
export async function openQuery(page: Page, query: string): Promise<void> {
  await page.goto('about:blank');
  await page.goto(`/logs#${new URLSearchParams({ query }).toString()}`);
  await expect(page.locator('.monaco-editor .view-lines')).toContainText(query.split('\n')[0]?.replace(/[ |].*$/, '') ?? '');
  await page.locator('.monaco-editor textarea').first().focus();
}

export async function runQuery(page: Page, query: string): Promise<void> {
  await openQuery(page, query);
  await page.keyboard.press('Shift+Enter');
}

/** Replaces the text of the editor without what the editor adds by itself: brackets, completions. */
export async function replaceQuery(page: Page, query: string): Promise<void> {
  await page.locator('.monaco-editor textarea').first().focus();
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(query);
}

/** Opens the page of the one machine that the server has, once its agent's first heartbeat is here; gives its name. */
export async function openMachine(page: Page): Promise<string> {
  await page.getByRole('link', { name: 'Machines', exact: true }).click();
  const machine = page.getByRole('table', { name: 'Machines' }).getByRole('link').first();
  const name = await machine.innerText();
  await machine.click();
  await expect(page.getByRole('heading', { name, level: 1 })).toBeVisible();
  return name;
}

/** Waits until nothing on the page is loading and every chart is drawn. */
export async function settled(page: Page): Promise<void> {
  await expect(page.getByRole('progressbar')).toHaveCount(0);
  await expect(page.locator('[data-testid=chart]:not([data-kind=card]):not(:has(canvas))')).toHaveCount(0);
}

/** No violation, but for the focus sentinels that the components' focus trap puts into the page and moves away from at once. */
export async function expectAccessible(page: Page): Promise<void> {
  await settled(page);
  const { violations } = await new AxeBuilder({ page }).exclude('[data-tabster-dummy]').analyze();
  expect(violations.map((one) => ({ id: one.id, at: one.nodes.map((node) => `${node.html} ${node.failureSummary ?? ''}`) }))).toEqual([]);
}
