// Steps that several tests share.
import AxeBuilder from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';
import { ready } from './ready';

export async function signIn(page: Page): Promise<void> {
  const { admin_user, admin_password } = ready();
  await page.goto('/');
  await page.getByLabel('User').fill(admin_user);
  await page.getByLabel('Password').fill(admin_password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('navigation', { name: 'Pages' })).toBeVisible();
}

/** Opens the Logs page with a query and waits for the editor. */
export async function openQuery(page: Page, query: string): Promise<void> {
  await page.goto('about:blank');
  await page.goto(`/logs#${new URLSearchParams({ query }).toString()}`);
  await expect(page.locator('.monaco-editor .view-line').first()).toBeVisible();
  await page.locator('.monaco-editor textarea').first().focus();
}

export async function runQuery(page: Page, query: string): Promise<void> {
  await openQuery(page, query);
  await page.keyboard.press('Shift+Enter');
}

/** No violation, but for the focus sentinels that the components' focus trap puts into the page and moves away from at once. */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).exclude('[data-tabster-dummy]').analyze();
  expect(violations.map((one) => ({ id: one.id, at: one.nodes.map((node) => node.html) }))).toEqual([]);
}

/** Collects what the browser refused under the content security policy. */
export function refusals(page: Page): string[] {
  const found: string[] = [];
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) found.push(message.text());
  });
  return found;
}
