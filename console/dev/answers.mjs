// A development tool: serves dist/ and recorded-like answers of the server's API, under the console's own content
// security policy, so that pages can be looked at without a server. No test uses it.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { world } from './world.mjs';

const port = Number(process.env.PORT ?? 5174);
const root = new URL('../dist/', import.meta.url).pathname;
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.ttf': 'font/ttf' };
const workspace = { id: '6f9d2c1e-0000-4000-8000-000000000001', name: 'Default workspace' };
const session = { user: { name: 'admin', roles: ['Owner'] }, workspaces: [workspace], csrf: 'dev' };
/** Everything that the server's table of routes names, allowed. */
const routes = (await readFile(new URL('../../tests/authorization/routes.csv', import.meta.url), 'utf8')).split('\n');
const actions = [...new Set(routes.map((line) => line.split(',')[2]).filter((name) => name?.includes('/')))];
const permissions = {
  principalId: 'admin', name: 'admin', roles: [{ role: 'Owner', scope: '/' }], actions: actions.map((name) => ({ name, scope: '/', allowed: true, roles: ['Owner'] })),
  places: [{ scope: '/', kind: 'tenant', name: '', givers: ['admin'] }, { scope: `/workspaces/${workspace.id}`, kind: 'workspace', name: workspace.name, givers: ['admin'] }],
};
/** How many machines the map has. */
const mapSize = () => Number(process.env.MACHINES ?? 12);
const maps = new Map();
const saved = [];
let signedIn = false;

const computers = ['db-01', 'web-01', 'web-02', 'build-07'];
const minute = (back) => new Date(Math.floor(Date.now() / 60_000) * 60_000 - back * 60_000).toISOString();
const wave = (i, seed) => Math.max(0, 40 + 25 * Math.sin(i / 7 + seed) + 8 * Math.sin(i * 1.7 + seed));
const table = (columns, rows) => ({ tables: [{ name: 'PrimaryResult', columns: columns.map((c) => ({ name: c.split(':')[0], type: c.split(':')[1] })), rows }], statistics: { query: { executionTime: 0.012 } } });
const hour = Array.from({ length: 60 }, (_, i) => 59 - i);
const perfSeries = () => computers.flatMap((c, k) => ['cpu', 'memory'].flatMap((m, j) => hour.filter((i) => i % 5 === 0).map((i) => [c, m, minute(i), wave(i, k + j * 3)])));

function answer(query) {
  const render = /render\s+(\w+)/.exec(query);
  const withRender = (result) => (render ? { ...result, render: { visualization: render[1] } } : result);
  const fault = /\bwher\b/.exec(query);
  if (fault) {
    const before = query.slice(0, fault.index).split('\n');
    return { status: 400, body: { error: { code: 'BadArgumentError', message: 'The request had some invalid properties', innererror: { code: 'SyntaxError', message: 'A syntax error has been identified in the query.', innererror: { code: 'SYN0002', message: "Query could not be parsed at 'wher'", line: before.length, pos: before.at(-1).length, token: 'wher' } } } } };
  }
  if (query.includes('range n')) return withRender(table(['n:long', 'Text:string', 'Properties:dynamic'], Array.from({ length: 100_000 }, (_, i) => [i, `row ${i}`, JSON.stringify({ i, even: i % 2 === 0 })])));
  if (query.startsWith('union with')) return table(['TableName:string', 'Rows:long', 'Latest:datetime'], [['Perf', 184320, minute(0)], ['Syslog', 20411, minute(0)], ['Heartbeat', 5760, minute(0)], ['VMProcess', 1288, minute(21)]]);
  if (query.startsWith('union *')) return withRender(table(['TimeGenerated:datetime', 'Rows:long'], hour.map((i) => [minute(i), Math.round(120 + wave(i, 0))])));
  if (query.startsWith('union isfuzzy')) return table(['Computer:string', 'Measure:string', 'TimeGenerated:datetime', 'Value:real'], perfSeries());
  if (query.startsWith('Heartbeat') && query.includes('arg_max')) {
    return table(['Computer:string', 'TimeGenerated:datetime', 'OSType:string', 'OSName:string', 'Version:string', 'ComputerIP:string'], computers.filter((c) => !query.includes('==') || query.includes(`"${c}"`)).map((c, i) => [c, minute(i === 3 ? 47 : 0), 'Linux', 'Debian GNU/Linux 12', '0.1.0', `10.0.0.${i + 4}`]));
  }
  if (query.startsWith('Syslog')) return table(['TimeGenerated:datetime', 'SeverityLevel:string', 'Facility:string', 'ProcessName:string', 'SyslogMessage:string'], hour.map((i) => [minute(i), i % 9 ? 'info' : 'err', 'daemon', 'sshd', `Accepted publickey for deploy from 10.0.0.${i}`]));
  if (query.startsWith('VMConnection') && query.includes('Links = ')) return table(['TimeGenerated:datetime', 'Links:long', 'Failed:long'], Array.from({ length: 96 }, (_, i) => [minute((96 - i) * 15), Math.round(400 + wave(i, 1) * 30), i % 17 === 5 ? 60 : 0]));
  if (query.startsWith('VM')) return table(['Port:long', 'Protocol:string', 'ProcessName:string', 'LinksLive:long'], [[22, 'tcp', 'sshd', 2], [443, 'tcp', 'nginx', 118]]);
  if (query.startsWith('Perf')) return withRender(table(['TimeGenerated:datetime', 'Computer:string', 'avg_CounterValue:real'], computers.flatMap((c, k) => hour.map((i) => [minute(i), c, wave(i, k)]))));
  return withRender(table(['TimeGenerated:datetime', 'Computer:string', 'Category:string', 'OSType:string', 'Version:string', 'Properties:dynamic'], hour.slice(0, 10).map((i) => [minute(i), computers[i % 4], 'Direct Agent', 'Linux', '0.1.0', JSON.stringify({ cores: 4, memoryMB: 16000 })])));
}

const columns = (text) => text.split(' ').map((c) => ({ name: c.split(':')[0], type: c.split(':')[1] }));
const metadata = {
  tables: [
    { name: 'Heartbeat', description: 'A record a minute from every agent.', columns: columns('TimeGenerated:datetime Computer:string Category:string OSType:string OSName:string Version:string ComputerIP:string') },
    { name: 'Perf', description: 'Performance counters.', columns: columns('TimeGenerated:datetime Computer:string ObjectName:string CounterName:string InstanceName:string CounterValue:real') },
    { name: 'Syslog', columns: columns('TimeGenerated:datetime Computer:string Facility:string SeverityLevel:string ProcessName:string SyslogMessage:string') },
    { name: 'VMProcess', columns: columns('TimeGenerated:datetime Computer:string ExecutableName:string CommandLine:string') },
    { name: 'VMBoundPort', columns: columns('TimeGenerated:datetime Computer:string Ip:string Port:int Protocol:string ProcessName:string') },
  ],
  functions: [{ name: 'BusyMachines', parameters: 'limit: real = 80', body: 'Perf | where CounterValue > limit' }],
};

createServer(async (request, response) => {
  const path = new URL(request.url, 'http://localhost').pathname;
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : {};
  const send = (status, value) => { response.writeHead(status, { 'Content-Type': 'application/json' }); response.end(value === undefined ? '' : JSON.stringify(value)); };
  if (path === '/api/session') {
    if (request.method === 'DELETE') { signedIn = false; return send(204); }
    if (request.method === 'POST') {
      if (body.password !== 'dev') return send(401, { error: { code: 'SignInFailed', message: 'the user or the password is wrong' } });
      signedIn = true;
    }
    return signedIn ? send(200, session) : send(401, { error: { code: 'NotSignedIn', message: 'sign in first' } });
  }
  if (path === '/api/me/permissions') return send(200, permissions);
  if (path === '/api/about') return send(200, { version: '0.1.0', start_time: minute(90) });
  if (path.includes('/saved-queries')) {
    if (request.method === 'POST') { const made = { id: String(saved.length + 1), ...body }; saved.push(made); return send(201, made); }
    if (request.method === 'DELETE') { saved.splice(saved.findIndex((one) => path.endsWith(`/${one.id}`)), 1); return send(204); }
    return send(200, saved);
  }
  if (path.includes('/map-pins')) return send(200, { own: false, shared: false, mayShare: true, pins: {} });
  if (path === '/api/map') {
    const asked = new URL(request.url, 'http://localhost').searchParams;
    const map = maps.get(mapSize()) ?? world({ machines: mapSize() });
    maps.set(mapSize(), map);
    return send(200, { ...map, window: { from: asked.get('from') ?? map.window.from, to: asked.get('to') ?? map.window.to } });
  }
  if (path.endsWith('/tables/VMConnection')) return send(200, { properties: { totalRetentionInDays: 30 } });
  if (path === '/api/alerts') return send(200, []);
  if (path.endsWith('/metadata')) return send(200, metadata);
  if (path.endsWith('/query')) { const found = answer(body.query); return send(found.status ?? 200, found.body ?? found); }
  const file = normalize(join(root, extname(path) ? path : 'index.html'));
  try {
    if (!file.startsWith(root)) throw new Error('outside dist');
    const content = await readFile(file);
    response.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream', 'Content-Security-Policy': policy });
    response.end(content);
  } catch {
    response.writeHead(404).end();
  }
}).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port} (admin / dev)`));
