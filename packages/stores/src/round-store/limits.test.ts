import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  assertCommitTexts,
  assertEventId,
  assertHolder,
  assertInboxRead,
  assertTtlMs,
  COMMIT_TEXTS_MAX,
  EVENT_ID_CHARS_MAX,
  HOLDER_CHARS_MAX,
  INBOX_READ_MAX,
  LEASE_TTL_MS_MAX,
} from './limits.ts';

test('each limit lets its bound through and stops one past it', () => {
  assertEventId('x'.repeat(EVENT_ID_CHARS_MAX));
  assert.throws(() => assertEventId('x'.repeat(EVENT_ID_CHARS_MAX + 1)), /301 characters.*1 to 300/);
  assertHolder('x'.repeat(HOLDER_CHARS_MAX));
  assert.throws(() => assertHolder('x'.repeat(HOLDER_CHARS_MAX + 1)), RangeError);
  assertTtlMs(LEASE_TTL_MS_MAX);
  assert.throws(() => assertTtlMs(LEASE_TTL_MS_MAX + 1), RangeError);
  assertInboxRead(INBOX_READ_MAX);
  assert.throws(() => assertInboxRead(INBOX_READ_MAX + 1), RangeError);
  assertCommitTexts(COMMIT_TEXTS_MAX);
  assert.throws(() => assertCommitTexts(COMMIT_TEXTS_MAX + 1), RangeError);
});

test('empty ids, ids with control characters and times that are no whole milliseconds are stopped', () => {
  for (const id of ['', 'a\nb', 'a\u0000b', '\u007f']) assert.throws(() => assertEventId(id), RangeError);
  for (const ttlMs of [0, -1, 1.5, Number.NaN]) assert.throws(() => assertTtlMs(ttlMs), RangeError);
});
