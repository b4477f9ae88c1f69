import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { root, trackedFiles } from './tracked-files.ts';

/**
 * Who may import whom. A room is the longest prefix of a file's path; `ours` are the rooms it may use besides itself, `others` the packages.
 * To add an arrow, add it here: it is the change that gets the most review.
 */
const ROOMS: Readonly<Record<string, { readonly ours: readonly string[]; readonly others: readonly string[] }>> = {
  'packages/core': { ours: [], others: [] },
  'packages/contracts': { ours: [], others: ['@bufbuild/protobuf', '@grpc/grpc-js'] },
  'crates/flexlora-kernel-node': { ours: [], others: ['node:'] },
  'packages/stores': { ours: ['packages/core'], others: ['node:', 'ioredis', '@aws-sdk/client-s3', '@smithy/'] },
  'packages/runtime': {
    ours: ['packages/core', 'packages/contracts'],
    others: [
      'node:',
      '@grpc/grpc-js',
      '@grpc/proto-loader',
      '@grpc/reflection',
      '@node-rs/crc32',
      'grpc-health-check',
      'pino',
      'prom-client',
      'zod',
    ],
  },
  'services/orchestrator': {
    ours: ['packages/core', 'packages/contracts', 'packages/stores', 'packages/runtime'],
    others: ['node:', '@grpc/grpc-js', 'p-map', 'prom-client', 'zod'],
  },
  'services/aggregator': {
    ours: ['packages/core', 'packages/contracts', 'packages/stores', 'packages/runtime', 'crates/flexlora-kernel-node'],
    others: ['node:', '@grpc/grpc-js', 'prom-client', 'zod'],
  },
  'services/client-agent': {
    ours: ['packages/core', 'packages/contracts', 'packages/runtime'],
    others: ['node:', '@grpc/grpc-js', 'prom-client', 'zod'],
  },
  'trainers/embedded': { ours: ['packages/core'], others: ['node:', 'typescript-diagnostics', 'assemblyscript'] },
  // The command line composes the services in one process, by their createX alone.
  cli: {
    ours: [
      'packages/core',
      'packages/contracts',
      'packages/stores',
      'packages/runtime',
      'crates/flexlora-kernel-node',
      'services/orchestrator',
      'services/aggregator',
      'services/client-agent',
      'trainers/embedded',
    ],
    others: ['node:', '@grpc/grpc-js', 'get-port', 'log-update', 'zod'],
  },
};

/** Client libraries that stand behind one file, so that replacing one is a change to one file. */
const ONE_DOOR: Readonly<Record<string, readonly string[]>> = {
  ioredis: ['packages/stores/src/round-store/redis.ts', 'packages/stores/src/round-store/redis-connection.ts'],
  '@aws-sdk/client-s3': ['packages/stores/src/object-store/s3.ts', 'packages/stores/src/object-store/s3-client.ts'],
};

const PACKAGE_ROOMS: Readonly<Record<string, string>> = {
  '@flexlora/core': 'packages/core',
  '@flexlora/contracts': 'packages/contracts',
  '@flexlora/stores': 'packages/stores',
  '@flexlora/runtime': 'packages/runtime',
  '@flexlora/kernel': 'crates/flexlora-kernel-node',
  '@flexlora/orchestrator': 'services/orchestrator',
  '@flexlora/aggregator': 'services/aggregator',
  '@flexlora/client-agent': 'services/client-agent',
  '@flexlora/embedded-trainer': 'trainers/embedded',
  flexlora: 'cli',
};

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|(?:^|\n)\s*import\s*'([^']+)'/g;
/** Tests beside the code may use the test runner, the property tester and the rooms that they test with. */
const TEST_FILE = /\.test\.ts$|\/suite\.ts$|\/suite\/|\/testing\//;

const roomOf = (file: string): string | undefined => Object.keys(ROOMS).find((room) => file.startsWith(`${room}/`));
const packageOf = (specifier: string): string =>
  specifier.startsWith('@') ? specifier.split('/').slice(0, 2).join('/') : (specifier.split('/')[0] ?? specifier);

function importsOf(file: string): readonly string[] {
  const text = readFileSync(resolve(root, file), 'utf8');
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

function faultOf(file: string, specifier: string): string | null {
  const room = roomOf(file);
  if (room === undefined) return null;
  const rules = ROOMS[room];
  assert.ok(rules !== undefined);
  if (specifier.startsWith('.')) {
    const target = relative(root, resolve(root, dirname(file), specifier));
    return target.startsWith(`${room}/`)
      ? null
      : `${file} reaches into ${target} by a relative path: import the package by its name`;
  }
  const ours = PACKAGE_ROOMS[packageOf(specifier)];
  if (ours !== undefined) {
    if (ours === room || rules.ours.includes(ours)) return null;
    return `${file} imports ${specifier}; ${room} may use ${rules.ours.join(', ') || 'nothing of ours'}: move the code to the floor where it belongs, or add the arrow in ${import.meta.filename}`;
  }
  if (
    rules.others.some(
      (other) =>
        specifier === other || specifier.startsWith(other.endsWith(':') || other.endsWith('/') ? other : `${other}/`),
    )
  )
    return null;
  return `${file} imports ${specifier}; ${room} may use ${rules.others.join(', ') || 'no package'}: pass it in as a port, or add the arrow in ${import.meta.filename}`;
}

test('every import stays on its floor', () => {
  const faults: string[] = [];
  for (const file of trackedFiles(/\.ts$/)) {
    if (TEST_FILE.test(file) || file.includes('/gen/') || file.includes('/scripts/') || file.includes('/bench/'))
      continue;
    for (const specifier of importsOf(file)) {
      const fault = faultOf(file, specifier);
      if (fault !== null) faults.push(fault);
    }
  }
  assert.deepEqual(faults, [], faults.join('\n'));
});

test('each client library stands behind one door', () => {
  const faults: string[] = [];
  for (const file of trackedFiles(/\.ts$/)) {
    if (TEST_FILE.test(file) || file.startsWith('test/')) continue;
    for (const specifier of importsOf(file)) {
      const doors = ONE_DOOR[packageOf(specifier)];
      if (doors !== undefined && !doors.includes(file))
        faults.push(`${file} imports ${specifier}; only ${doors.join(' and ')} may: use the port`);
    }
  }
  assert.deepEqual(faults, [], faults.join('\n'));
});

test('a process reads its environment in config.ts alone', () => {
  const faults = trackedFiles(/\.ts$/)
    .filter(
      (file) =>
        roomOf(file) !== undefined && !TEST_FILE.test(file) && !file.includes('/scripts/') && !file.includes('/bench/'),
    )
    .filter(
      (file) => !/\/(config|main)\.ts$/.test(file) && readFileSync(resolve(root, file), 'utf8').includes('process.env'),
    )
    .map((file) => `${file} reads process.env: take the value as an option, and read it in config.ts`);
  assert.deepEqual(faults, [], faults.join('\n'));
});

test('the core reads no clock, draws no random numbers and does no I/O', () => {
  const banned =
    /\b(Date\.now|new Date\(|Math\.random|performance\.now|setTimeout|setInterval|fetch\(|process\.|console\.)/;
  const faults = trackedFiles(/^packages\/core\/src\/.*\.ts$/)
    .filter((file) => !TEST_FILE.test(file))
    .flatMap((file) => {
      const match = banned.exec(readFileSync(resolve(root, file), 'utf8'));
      return match === null ? [] : [`${file} uses ${match[1]}: let it enter as a value in an event or an argument`];
    });
  assert.deepEqual(faults, [], faults.join('\n'));
});

test('the floors test itself sees a wrong arrow', () => {
  assert.match(faultOf('packages/core/src/x.ts', 'node:fs') ?? '', /may use no package/);
  assert.match(faultOf('services/aggregator/src/x.ts', '@flexlora/orchestrator') ?? '', /services\/aggregator may use/);
  assert.match(faultOf('packages/stores/src/x.ts', '../../core/src/ids.ts') ?? '', /by a relative path/);
  assert.equal(faultOf('packages/stores/src/x.ts', '@flexlora/core'), null);
});
