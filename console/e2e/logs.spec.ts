// The Logs page: the editor's knowledge, running, cancelling, charts, export, saved queries.
import { expect } from '@playwright/test';
import { readFile } from 'node:fs/promises';
import { chartKinds } from '../src/components/chartOption';
import { openQuery, replaceQuery, runQuery, signIn, test } from './steps';

test.beforeEach(async ({ page }) => signIn(page));

test('Heartbeat | take 10 shows rows', async ({ page }) => {
  await runQuery(page, 'Heartbeat\n| take 10');
  await expect(page.getByTestId('result-summary')).toContainText(/\b([1-9]|10) records?$/);
  await expect(page.locator('.ag-row').first()).toBeVisible();
  await expect(page.locator('.ag-header-cell', { hasText: 'TimeGenerated' })).toBeVisible();
});

test('the editor completes the columns of the workspace’s tables', async ({ page }) => {
  await openQuery(page, 'Heartbeat\n| where ');
  await page.keyboard.press('Control+End');
  await page.keyboard.type('ComputerEnv');
  await expect(page.locator('.suggest-widget .monaco-list-row', { hasText: /^ComputerEnvironment/ }).first()).toBeVisible();
});

test('known tables, columns and functions carry no squiggle, unknown ones do', async ({ page }) => {
  await openQuery(page, 'Heartbeat\n| where Nonsense == 1');
  await expect(page.locator('.squiggly-error')).toHaveCount(1);
  await replaceQuery(page, 'NoSuchTable\n| take 1');
  await expect(page.locator('.squiggly-error')).toHaveCount(1);
  await replaceQuery(page, 'Heartbeat\n| where Computer == "a" and OSType == "Linux"\n| summarize count() by bin(TimeGenerated, 1h)');
  await expect(page.locator('.squiggly-error')).toHaveCount(0);
});

test('what the server refuses stands below the query and at its place in the editor', async ({ page, expected }) => {
  expected.add(400);
  await runQuery(page, 'Heartbeat\n| wher Computer == "a"');
  const alert = page.getByRole('main').getByRole('alert');
  await expect(alert).toContainText('Line 2, character');
  const message = await alert.locator('.fui-MessageBarTitle').innerText();
  expect(message).toMatch(/where/);
  // The editor's own check marks the place as well, so the marker must hold the server's words.
  await page.locator('.monaco-editor textarea').first().focus();
  const marker = page.locator('.monaco-editor .marker-widget, .zone-widget.peekview-widget');
  await expect(async () => {
    await page.keyboard.press('F8');
    await expect(marker.first()).toContainText(message, { timeout: 3000 });
  }).toPass();
  await expect(marker.first()).toContainText('server');
});

for (const kind of chartKinds) {
  test(`render draws a ${kind}`, async ({ page }) => {
    const asked = kind === 'stackedareachart' ? 'areachart with (kind=stacked)' : kind;
    const rows = kind === 'timechart' || kind.endsWith('areachart')
      ? 'range t from datetime(2026-01-01) to datetime(2026-01-02) step 1h\n| extend v = hourofday(t)'
      : 'range n from 1 to 9 step 1\n| extend k = strcat("part ", n % 3)\n| summarize v = sum(n) by k';
    await runQuery(page, `${rows}\n| render ${asked}`);
    await expect(page.getByTestId('chart')).toHaveAttribute('data-kind', kind);
    await expect(page.locator('[data-testid=chart] canvas')).toBeVisible();
    // Something is drawn: the canvas holds more than one colour.
    const colours = () => page.locator('[data-testid=chart] canvas').evaluate((node) => {
      const canvas = node as HTMLCanvasElement;
      const pixels = new Uint32Array(canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data.buffer ?? new ArrayBuffer(0));
      return new Set(pixels).size;
    });
    await expect.poll(colours).toBeGreaterThan(2);
  });
}

test('render card shows the figures', async ({ page }) => {
  await runQuery(page, 'print Answer = 42\n| render card');
  await expect(page.locator('[data-testid=chart][data-kind=card]')).toContainText('42');
});

test('a hundred thousand rows are shown without drawing them all', async ({ page }) => {
  await runQuery(page, 'range n from 1 to 100000 step 1\n| extend text = strcat("row ", n)');
  await expect(page.getByTestId('result-grid')).toHaveAttribute('data-rows', '100000');
  await expect(page.getByTestId('result-summary')).toContainText('100,000 records');
  await expect(page.locator('.ag-row').first()).toBeVisible();
  expect(await page.locator('.ag-row').count()).toBeLessThan(200);
  await page.locator('.ag-cell').first().click();
  await page.keyboard.press('Control+End');
  await expect(page.locator('.ag-cell', { hasText: /^row 100000$/ })).toBeVisible();
});

test('a column sorts and filters', async ({ page }) => {
  await runQuery(page, 'range n from 1 to 50 step 1');
  const first = page.locator('.ag-row[row-index="0"] .ag-cell').first();
  await expect(first).toHaveText('1');
  const header = page.locator('.ag-header-cell', { hasText: 'n' }).first();
  await header.locator('.ag-header-cell-label').click();
  await header.locator('.ag-header-cell-label').click();
  await expect(first).toHaveText('50');
});

test('a running query is cancelled', async ({ page }) => {
  await runQuery(page, 'range n from 1 to 100000000000 step 1\n| summarize sum(n)');
  await page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await expect(page.getByText('The query was cancelled')).toBeVisible();
  await replaceQuery(page, 'print after = 1');
  await page.keyboard.press('Shift+Enter');
  await expect(page.getByTestId('result-grid')).toHaveAttribute('data-rows', '1');
});

test('a cell of JSON opens in a panel, by mouse and by keyboard', async ({ page }) => {
  await runQuery(page, 'print Bag = dynamic({"inner": {"deep": [1, 2]}})');
  const panel = page.getByRole('dialog');
  await page.locator('.ag-cell').first().click();
  await expect(panel).toContainText('"deep": [');
  await page.keyboard.press('Escape');
  await expect(panel).toHaveCount(0);
  await page.locator('.ag-cell').first().focus();
  await page.keyboard.press('Enter');
  await expect(panel).toContainText('"deep": [');
  await page.keyboard.press('Escape');
  // A list of objects is a table.
  await runQuery(page, 'print Disks = dynamic([{"name": "sda", "used": 5}, {"name": "sdb"}])');
  await page.locator('.ag-cell').first().click();
  await expect(panel.getByRole('row')).toHaveText(['nameused', 'sda5', 'sdb']);
  await panel.getByText('The whole value').click();
  await expect(panel).toContainText('"name": "sdb"');
});

test('statistics are readable', async ({ page }) => {
  await runQuery(page, 'Heartbeat\n| count');
  await page.getByRole('tab', { name: 'Statistics' }).click();
  const list = page.getByLabel('Statistics of the query');
  await expect(list).toContainText(/Time in the server\s*\d+\.\d{3} s/);
  await expect(list).toContainText(/Rows answered\s*1/);
  await expect(page.getByRole('region', { name: 'Plan', exact: true })).toContainText('output_rows=');
});

test('advice stands above the result', async ({ page }) => {
  await runQuery(page, 'Heartbeat\n| where Computer contains "nothing"\n| summarize makeset(Computer)');
  await expect(page.getByRole('region', { name: 'Results', exact: true })).toContainText('makeset is an old name: write make_set');
  await expect(page.getByRole('region', { name: 'Results', exact: true })).toContainText('Computer contains "nothing" reads the whole text');
});

test('CSV export holds the columns and the rows', async ({ page }) => {
  await runQuery(page, 'print a = 1, b = "x,\\"y\\""');
  await expect(page.locator('.ag-row').first()).toBeVisible();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export CSV' }).click()]);
  const text = await readFile(await download.path(), 'utf8');
  expect(text.replace('\ufeff', '')).toBe('a,b\r\n1,"x,""y"""\r\n');
});

test('a time range bounds the query', async ({ page }) => {
  await openQuery(page, 'Heartbeat\n| count');
  await page.getByRole('button', { name: /^Time range/ }).click();
  await page.getByLabel('From (local time)').fill('2001-01-01T00:00');
  await page.getByLabel('To (local time)').fill('2001-01-02T00:00');
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await expect(page.locator('.ag-cell').first()).toHaveText('0');
});

test('a query is saved as a function, used, changed and deleted', async ({ page }) => {
  const name = `Twice${Date.now()}`;
  await openQuery(page, 'print result = 2 * n');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Category').fill('tests');
  await page.getByLabel('Save as a function').check();
  await page.getByLabel('Parameters').fill('n: long');
  await page.getByRole('dialog').getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await expect(page.getByRole('tab', { name })).toBeVisible();
  await runQuery(page, `${name}(21)`);
  await expect(page.locator('.ag-cell').first()).toHaveText('42');
  await expect(page.locator('.squiggly-error')).toHaveCount(0);

  await page.getByRole('tab', { name: 'Queries' }).click();
  await page.getByRole('button', { name: new RegExp(`ƒ ${name}`) }).click();
  await expect(page.locator('.monaco-editor .view-lines')).toContainText('print');
  await replaceQuery(page, 'print result = 3 * n');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('heading', { name: `Change ${name}` })).toBeVisible();
  await page.getByRole('dialog').getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('dialog')).toHaveCount(0);
  await runQuery(page, `${name}(21)`);
  await expect(page.locator('.ag-cell').first()).toHaveText('63');

  await page.getByRole('tab', { name: 'Queries' }).click();
  await page.getByRole('button', { name: `Delete ${name}` }).click();
  await expect(page.getByRole('button', { name: new RegExp(`ƒ ${name}`) })).toHaveCount(0);
});

test('queries that ran are in the history', async ({ page }) => {
  await runQuery(page, 'print remembered = "yes"');
  await expect(page.getByTestId('result-grid')).toHaveAttribute('data-rows', '1');
  await page.getByRole('tab', { name: 'History' }).click();
  await expect(page.getByRole('button', { name: /print remembered = "yes".*1 rows/ })).toBeVisible();
});
