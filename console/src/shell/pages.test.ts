// Every page and tab says what it takes, in names that the server has: its table of routes is compared with its program by
// another test.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { details, pages } from './pages';

const source = join(__dirname, '..');
const routes = readFileSync(join(source, '../../tests/authorization/routes.csv'), 'utf8');
const known = new Set(routes.split('\n').map((line) => line.split(',')[2] ?? '').filter((name) => name.includes('/')));

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.test.ts'));
const texts = files.map((name) => ({ name, text: readFileSync(join(source, name), 'utf8') }));

describe('pages', () => {
  it('say what they take, and so do their tabs', () => {
    expect(pages.length).toBeGreaterThan(10);
    const entries = [...pages, ...pages.flatMap((page) => page.tabs ?? []), ...details];
    // everybody has an account of their own
    expect(entries.filter((entry) => entry.needs.length === 0).map((entry) => entry.label)).toEqual(['Your account']);
  });

  it('have something under each tab', () => {
    for (const page of pages.filter((one) => one.tabs)) {
      const file = texts.find(({ text }) => text.includes(`<TabbedPage path="${page.path}"`));
      const shown = [...(file?.text ?? '').matchAll(/^ {2}'?([\w-]+)'?: \(\) => </gm)].map((match) => match[1]);
      expect(shown, page.path).toEqual(page.tabs?.map((tab) => tab.value));
    }
  });
});

describe('names of actions', () => {
  it('are those of the server, wherever a page or a button names one', () => {
    expect(known.size).toBeGreaterThan(60);
    const named = texts.flatMap(({ name, text }) => [...text.matchAll(/['"]((?:Microsoft\.[A-Z]\w+|Watchkeeper)\/[\w./]+\/(?:read|write|delete|action))['"]/g)].map((match) => ({ name, action: match[1] ?? '' })));
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter(({ action }) => !known.has(action))).toEqual([]);
  });
});
