import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError, type Environment, readConfig } from './config.ts';
import {
  channelOf,
  orchestratorRules,
  orchestratorSettings,
  serverTlsOf,
  tlsServerRules,
  tlsServerSettings,
} from './tls-settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'flexlora-tls-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const fileOf = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const pem = (name: string): string => `-----BEGIN ${name}-----\nAA==\n-----END ${name}-----\n`;

const clientOf = (env: Environment) =>
  readConfig(orchestratorSettings, { FLEXLORA_ORCHESTRATOR: 'a:1', ...env }, orchestratorRules);
const serverOf = (env: Environment) => readConfig(tlsServerSettings, env, tlsServerRules);
const problemsOf = (read: () => unknown): readonly string[] => {
  try {
    read();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

test('without TLS a channel speaks plain text, to the orchestrator or to the target that is named', () => {
  assert.deepEqual(channelOf(clientOf({})), { target: 'a:1', tls: null });
  assert.deepEqual(channelOf(clientOf({}), 'b:2'), { target: 'b:2', tls: null });
});

test('with TLS a channel holds what stands in the files, and null for those that are not set', () => {
  assert.deepEqual(channelOf(clientOf({ FLEXLORA_TLS: 'on' })).tls, { ca: null, certificate: null, key: null });
  const config = clientOf({
    FLEXLORA_TLS: 'on',
    FLEXLORA_TLS_CA_FILE: fileOf('ca.crt', pem('CA')),
    FLEXLORA_TLS_CERTIFICATE_FILE: fileOf('tls.crt', pem('CERTIFICATE')),
    FLEXLORA_TLS_KEY_FILE: fileOf('tls.key', pem('KEY')),
  });
  assert.deepEqual(channelOf(config).tls, { ca: pem('CA'), certificate: pem('CERTIFICATE'), key: pem('KEY') });
});

test('files of TLS that would be ignored are problems', () => {
  assert.deepEqual(
    problemsOf(() => clientOf({ FLEXLORA_TLS_CA_FILE: 'ca', FLEXLORA_TLS_KEY_FILE: 'key' })),
    [
      'FLEXLORA_TLS_CERTIFICATE_FILE is not set, but FLEXLORA_TLS_KEY_FILE is; allowed: both or neither',
      'FLEXLORA_TLS is not on, but FLEXLORA_TLS_CA_FILE is set; allowed: FLEXLORA_TLS=on with it, or no FLEXLORA_TLS_CA_FILE',
    ],
  );
  assert.deepEqual(
    problemsOf(() => serverOf({ FLEXLORA_TLS_CLIENT_CA_FILE: 'ca' })),
    [
      'FLEXLORA_TLS_CERTIFICATE_FILE is not set, but FLEXLORA_TLS_CLIENT_CA_FILE is set; allowed: FLEXLORA_TLS_CERTIFICATE_FILE with it, or no FLEXLORA_TLS_CLIENT_CA_FILE',
    ],
  );
});

test('a server without a certificate speaks plain text, one with a certificate holds what stands in its files', () => {
  assert.equal(serverTlsOf(serverOf({})), null);
  const own = {
    FLEXLORA_TLS_CERTIFICATE_FILE: fileOf('server.crt', pem('CERTIFICATE')),
    FLEXLORA_TLS_KEY_FILE: fileOf('server.key', pem('KEY')),
  };
  assert.deepEqual(serverTlsOf(serverOf(own)), { certificate: pem('CERTIFICATE'), key: pem('KEY'), clientCa: null });
  const clientCa = { FLEXLORA_TLS_CLIENT_CA_FILE: fileOf('clients.crt', pem('CA')) };
  assert.equal(serverTlsOf(serverOf({ ...own, ...clientCa }))?.clientCa, pem('CA'));
});

test('every file that cannot be used is named with its setting, at once', () => {
  const absent = join(folder, 'absent.crt');
  const other = fileOf('other.key', 'not a key');
  const problems = problemsOf(() =>
    serverTlsOf(serverOf({ FLEXLORA_TLS_CERTIFICATE_FILE: absent, FLEXLORA_TLS_KEY_FILE: other })),
  );
  assert.equal(problems.length, 2);
  assert.match(
    problems[0] ?? '',
    /^FLEXLORA_TLS_CERTIFICATE_FILE is ".*absent\.crt": ENOENT.*; allowed: a path of a PEM/,
  );
  assert.match(problems[1] ?? '', /^FLEXLORA_TLS_KEY_FILE is ".*other\.key": the file has no line that begins with/);
  assert.doesNotMatch(problems.join(), /not a key/);
});
