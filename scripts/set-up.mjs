// Makes a fresh clone ready: dependencies, then the native kernel. Plain JavaScript for Node 20: it runs before anything is installed.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const NODE_MAJOR_MIN = 20;
const stampFile = join(root, 'node_modules', '.flexlora-set-up');

/** Node 24 from the dependencies: the version that runs TypeScript as it stands. */
export const node24 = join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** Sets up what is missing or out of date. Writes to standard error alone, so that standard output stays the command's own. */
export function setUp() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < NODE_MAJOR_MIN)
    fail(
      `Node ${process.version} is too old; Node ${NODE_MAJOR_MIN} or newer is needed: install a current Node and run the command again`,
    );
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== lock || !existsSync(node24)) {
    console.error('Installing dependencies …');
    run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
    if (!existsSync(node24))
      fail(
        `npm ci did not install Node 24 (${node24} is missing): remove node_modules, allow the install script of the package "node", and run the command again`,
      );
    mkdirSync(join(root, 'node_modules'), { recursive: true });
    writeFileSync(stampFile, lock);
  }
  run(process.execPath, [join(root, 'scripts', 'build-kernel.mjs')]);
}

/** Runs a command with its output on standard error; ends the process when it fails. */
function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  if (result.status !== 0)
    fail(`${command} ${args.join(' ')} ended with ${result.status ?? result.signal ?? result.error?.message}`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
