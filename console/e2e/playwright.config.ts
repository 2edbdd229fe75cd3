// Browser tests against a running server; which one is said by WATCHKEEPER_READY_FILE.
import { defineConfig } from '@playwright/test';
import { ready, serverKey } from './ready';

export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  // Deadlines, not expectations: a machine that builds at the same time is slow.
  timeout: 300_000,
  expect: { timeout: 90_000 },
  forbidOnly: true,
  workers: 1,
  reporter: 'list',
  use: {
    baseURL: ready().url,
    viewport: { width: 1440, height: 900 },
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        // The browser takes the one key that the server has shown under its own authority, and no other.
        `--ignore-certificate-errors-spki-list=${await serverKey()}`,
        '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update', '--disable-sync',
      ],
    },
  },
});
