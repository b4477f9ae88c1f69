// `npm start` and `npm run dev:cluster`: sets a fresh clone up, then runs a command of the flexlora CLI on Node 24.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { node24, root, setUp } from './set-up.mjs';

setUp();
const child = spawn(node24, [join(root, 'cli', 'bin', 'flexlora.mjs'), ...process.argv.slice(2)], { stdio: 'inherit' });
// The terminal sends Ctrl-C to the whole group: the child stops by itself, and this process only waits for it.
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    if (signal === 'SIGTERM') child.kill('SIGTERM');
  });
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
