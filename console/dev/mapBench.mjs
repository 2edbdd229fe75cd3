// Measures the map in headless Chromium: from the answer's arrival until it is drawn, layout and painting apart. Serves
// made-up worlds over dist/ (`npm run build` first): node dev/mapBench.mjs
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chromium } from '@playwright/test';

const worlds = [
  { machines: 200, path: '/map?group=none', open: false, label: '200 machines, 1,000 processes, 3,000 edges; machines closed' },
  { machines: 200, path: '/map?group=none', open: true, label: 'the same, every machine opened to its processes' },
  { machines: 1000, path: '/map', open: false, label: '1,000 machines, 5,000 processes, 15,000 edges; grouped' },
];
const rounds = Number(process.env.ROUNDS ?? 5);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu'] });

for (const [at, world] of worlds.entries()) {
  const port = 5500 + at;
  const server = spawn(process.execPath, [new URL('answers.mjs', import.meta.url).pathname], { env: { ...process.env, PORT: String(port), MACHINES: String(world.machines) }, stdio: ['ignore', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
  const runs = [];
  for (let round = 0; round < rounds; round += 1) {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.getByLabel('User').fill('admin');
    await page.getByLabel('Password').fill('dev');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('navigation', { name: 'Pages' }).waitFor();
    // the page's own code is there before the clock starts
    await page.getByRole('link', { name: 'Map', exact: true }).click();
    await page.waitForSelector('canvas[data-painted]');
    if (world.open) {
      await page.getByRole('combobox', { name: 'Groups' }).selectOption('none');
      await page.waitForFunction((boxes) => Number(document.querySelector('canvas[data-boxes]')?.dataset.boxes) >= boxes, world.machines);
      await page.evaluate(watch, false);
      await page.getByRole('button', { name: 'More' }).click();
      // the clock starts with the click itself, not with the wait for the menu
      await page.getByRole('menuitem', { name: 'Open all boxes' }).waitFor();
      await page.evaluate(() => { document.addEventListener('click', () => { window.began = performance.now(); }, { capture: true, once: true }); });
      await page.getByRole('menuitem', { name: 'Open all boxes' }).click();
    } else {
      await page.goto(`http://127.0.0.1:${port}/`);
      await page.getByRole('navigation', { name: 'Pages' }).waitFor();
      await page.evaluate(watch, true);
      await page.evaluate((path) => { history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate')); }, world.path);
    }
    await page.waitForFunction(() => window.drawn !== undefined, undefined, { timeout: 120_000 });
    runs.push(await page.evaluate(() => window.drawn));
    await page.close();
  }
  server.kill();
  const of = (name) => median(runs.map((run) => Number(run[name]))).toFixed(0);
  console.log(`${world.label}: ${of('total')} ms until drawn (layout ${of('layout')} ms in its worker, painting ${of('painted')} ms; ${runs[0].boxes} boxes, ${runs[0].links} lines; median of ${rounds})`);
}
await browser.close();

/** Notes when the canvas was painted; the clock starts when the map's answer has arrived, where there is one to come. */
function watch(fromAnswer) {
  window.drawn = undefined;
  if (fromAnswer) {
    const fetched = window.fetch;
    window.fetch = async (...request) => {
      const response = await fetched(...request);
      if (!String(request[0]).startsWith('/api/map')) return response;
      const text = await response.text();
      window.began ??= performance.now();
      return new Response(text, { status: response.status, headers: response.headers });
    };
  }
  let settled;
  new MutationObserver(() => {
    const canvas = document.querySelector('canvas[data-painted]');
    if (!canvas || window.began === undefined) return;
    // once the last painting of the change is done, and not before its boxes are there
    const now = { total: performance.now() - window.began, ...canvas.dataset };
    clearTimeout(settled);
    settled = setTimeout(() => { window.drawn = now; }, 1000);
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-painted'] });
}
