// `npm run lock`: adds to package-lock.json the platform packages that the registry in use does not carry. A mirror that holds only its own
// platform's binaries makes npm leave the others out, and `npm ci` then refuses the lock everywhere. An entry without an integrity is
// checked by the registry's own at install, on the platform that needs it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const file = join(fileURLToPath(new URL('..', import.meta.url)), 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));
const OS = ['android', 'darwin', 'freebsd', 'linux', 'openbsd', 'win32'];
const CPU = { arm64: 'arm64', aarch64: 'arm64', armv7: 'arm', x64: 'x64' };

/** What a name such as `@scope/tool-linux-arm64-musl` says of its platform. */
function platformOf(name) {
  const parts = name.split('/').at(-1).split('-');
  const os = parts.filter((part) => OS.includes(part));
  const cpu = parts.filter((part) => part in CPU).map((part) => CPU[part]);
  const libc = parts.includes('musl') ? ['musl'] : parts.includes('gnu') ? ['glibc'] : [];
  return { os, cpu, ...(libc.length > 0 && { libc }) };
}

const added = [];
for (const { optionalDependencies = {}, dev } of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const key = `node_modules/${name}`;
    const platform = platformOf(name);
    // Only binaries of another platform are left out on purpose; anything else that is missing is a fault to look at.
    if (key in lock.packages || !/^\d/.test(version) || platform.os.length === 0) continue;
    lock.packages[key] = { version, ...platform, ...(dev && { dev }), optional: true };
    added.push(name);
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length === 0 ? 'the lock is complete' : `added ${added.join(', ')}`);
