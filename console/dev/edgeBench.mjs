// Measures how long a new connection takes to its line on the map, on a running product with the agent of this machine:
// node dev/edgeBench.mjs READY.json (the file that `watchkeeper up --ready-file` writes). Each connection begins at
// another second of the minute; the time ends with the first painting of a map that has its port.
import { createServer, connect } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chromium } from '@playwright/test';

const ready = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const rounds = Number(process.env.ROUNDS ?? 12);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--headless', '--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, ignoreHTTPSErrors: true });
await page.goto(ready.url);
await page.getByLabel('User').fill(ready.admin_user);
await page.getByLabel('Password').fill(ready.admin_password);
await page.getByRole('button', { name: 'Sign in' }).click();
await page.getByRole('link', { name: 'Map', exact: true }).click();
await page.waitForSelector('canvas[data-painted]');
await page.evaluate(watch);

const connections = [];
for (let round = 0; round < rounds; round += 1) {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  connections.push({ port, began: Date.now(), server, socket });
  await new Promise((resolve) => { setTimeout(resolve, 60_000 / rounds); });
}
const taken = [];
for (const { port, began, server, socket } of connections) {
  await page.waitForFunction((wanted) => window.painted?.[wanted] !== undefined, port, { timeout: 180_000 });
  taken.push((await page.evaluate((wanted) => window.painted[wanted], port) - began) / 1000);
  socket.destroy();
  server.close();
}
await browser.close();
taken.sort((a, b) => a - b);
console.log(`a connection until its line is painted, ${rounds} of them over a minute: median ${taken[Math.floor(rounds / 2)].toFixed(1)} s, slowest ${taken.at(-1).toFixed(1)} s`);

/** Notes for each port when a map with it was first painted. */
function watch() {
  window.painted = {};
  const waiting = new Set();
  const fetched = window.fetch;
  window.fetch = async (...request) => {
    const response = await fetched(...request);
    if (!/^\/api\/map\?/.test(String(request[0]))) return response;
    const text = await response.text();
    for (const edge of JSON.parse(text).edges) waiting.add(edge.port);
    return new Response(text, { status: response.status, headers: response.headers });
  };
  new MutationObserver(() => {
    for (const port of waiting) window.painted[port] ??= Date.now();
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-painted'] });
}
