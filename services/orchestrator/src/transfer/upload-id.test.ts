import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRefusal, type Sha256Hex } from '@flexlora/core';
import type { UploadToken } from '@flexlora/stores';
import { UPLOAD_ID_CHARS_MAX } from '../limits.ts';
import { attemptOf, type DeclaredUpload, decodeUploadId, encodeUploadId } from './upload-id.ts';

const declared: DeclaredUpload = {
  nonce: '0123456789abcdef0123456789abcdef',
  token: 'aB3.x-y_z~9' as UploadToken,
  bytes: 1_234,
  digest: 'e3'.repeat(32) as Sha256Hex,
  samples: 7,
  loss: 1.25,
};

const idOf = (change: Readonly<Record<string, unknown>>): string =>
  encodeUploadId({ ...declared, ...change } as DeclaredUpload);

test('an id tells everything that was declared, and is safe in a URL', () => {
  const uploadId = encodeUploadId(declared);
  assert.match(uploadId, /^[A-Za-z0-9_-]+$/);
  assert.deepEqual(decodeUploadId(uploadId), declared);
  assert.deepEqual(decodeUploadId(idOf({ token: null, loss: null })), { ...declared, token: null, loss: null });
});

test('an id that was cut, changed or invented is refused, and nothing of it reaches a path', () => {
  const invented = [
    '',
    'x',
    encodeUploadId(declared).slice(0, -3),
    'A'.repeat(UPLOAD_ID_CHARS_MAX + 1),
    idOf({ nonce: '../../../spec' }),
    idOf({ token: '../../etc/passwd' }),
    idOf({ token: 'a/b' }),
    idOf({ token: '..' }),
    idOf({ bytes: '12' }),
  ];
  for (const uploadId of invented) {
    const refusal = decodeUploadId(uploadId);
    assert.ok(isRefusal(refusal), uploadId);
    assert.equal(refusal.reason, 'unknownUpload', uploadId);
  }
});

test('numbers in an id have the bounds that they had when it was opened', () => {
  for (const change of [{ bytes: 0 }, { bytes: 1.5 }, { samples: 0 }, { samples: 1e12 }]) {
    const refusal = decodeUploadId(idOf(change));
    assert.ok(isRefusal(refusal) && refusal.reason === 'badNumber', JSON.stringify(change));
  }
});

test('a token too long for an id is a bug of the object store', () => {
  assert.throws(() => idOf({ token: 'x'.repeat(UPLOAD_ID_CHARS_MAX) }), /allowed: 2048/);
});

test('whatever is declared otherwise is of another object', () => {
  const changes = [
    { nonce: 'f'.repeat(32) },
    { bytes: 1_235 },
    { digest: 'e4'.repeat(32) as Sha256Hex },
    { samples: 8 },
    { loss: null },
  ];
  const attempts = [declared, ...changes.map((change) => ({ ...declared, ...change }))].map(attemptOf);
  assert.equal(new Set(attempts).size, attempts.length);
  assert.equal(attemptOf(Object.assign({ ...declared }, { token: null })), attempts[0]);
});
