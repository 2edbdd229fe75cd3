// How the console is built: static files in dist/, split by page, with nothing inlined that a strict
// content security policy would refuse.
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/**
 * The Kusto language service comes as classic scripts that hang their names on `this`. In a module `this` is
 * undefined, and the bundler would take their `module.exports` for CommonJS; so each runs as a function of the
 * worker's global object with those names shadowed.
 */
function classicScripts(): Plugin {
  const classic = /@kusto\/language-service(-next)?\/[\w.]+\.min\.js$/;
  return {
    name: 'watchkeeper:classic-scripts',
    enforce: 'pre',
    transform(code, id) {
      if (!classic.test(id.split('?')[0] ?? id)) return null;
      return {
        code: `(function (module, exports, define) {\n${code}\n}).call(globalThis);\nexport {};`,
        map: null,
      };
    },
  };
}

const server = process.env.WATCHKEEPER_URL ?? 'http://127.0.0.1:5174';

export default defineConfig({
  plugins: [classicScripts(), react()],
  worker: { format: 'es', plugins: () => [classicScripts()] },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 12_000,
  },
  server: { proxy: { '/api': { target: server, secure: false }, '/v1': { target: server, secure: false } } },
  test: { include: ['src/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0]);
