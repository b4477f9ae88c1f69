#!/usr/bin/env node
// Runs cli/src/main.ts. The source is TypeScript as it stands, which Node strips from 22.18 on; under an older Node this starts the one
// that the `node` package brought along.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const STRIPS_TYPES_FROM = [22, 18];
const main = new URL('../src/main.ts', import.meta.url);
const [major, minor] = process.versions.node.split('.').map(Number);

if (major > STRIPS_TYPES_FROM[0] || (major === STRIPS_TYPES_FROM[0] && minor >= STRIPS_TYPES_FROM[1])) {
  const { main: run } = await import(main.href);
  process.exitCode = await run(process.argv.slice(2));
} else {
  process.exitCode = await runUnderBundledNode();
}

async function runUnderBundledNode() {
  const node = bundledNode();
  if (node === null) {
    console.error(
      `flexlora: this is Node ${process.versions.node}; needed: ${STRIPS_TYPES_FROM.join('.')} or newer: run "npm install" here, which brings one along, or install it`,
    );
    return 1;
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function bundledNode() {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve('node/package.json'));
    return join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  } catch {
    return null;
  }
}
