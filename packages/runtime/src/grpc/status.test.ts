import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Status } from '@flexlora/contracts/google/rpc/status';
import { BusyFault, Fault, REFUSAL_REASONS, type RefusalReason, refuse } from '@flexlora/core';
import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js';
import {
  FAULT_RETRY_MS,
  failureOf,
  STATUS_OF_REASON,
  statusOfFault,
  statusOfRefusal,
  statusOfThrown,
} from './status.ts';

/** The error that a client would get of a status. */
function received(answer: Partial<StatusObject>): ServiceError {
  const code = answer.code ?? status.UNKNOWN;
  const details = answer.details ?? '';
  return Object.assign(new Error(`${code} ${details}`), { code, details, metadata: answer.metadata ?? new Metadata() });
}

test('every reason of a refusal has a status and reads back as the same refusal', () => {
  for (const reason of Object.keys(REFUSAL_REASONS) as RefusalReason[]) {
    const refusal = refuse(reason, `rank is 7; allowed: 1 to 4 (${reason})`);
    const answer = statusOfRefusal(refusal);
    assert.equal(answer.code, STATUS_OF_REASON[reason]);
    assert.deepEqual(failureOf(received(answer)), refusal);
  }
});

test('a fault is unavailable and says when to come back', () => {
  const failure = failureOf(received(statusOfFault('Redis does not answer', 2_500)));
  assert.deepEqual(failure, { kind: 'unavailable', message: 'Redis does not answer', retryMs: 2_500 });
  const fraction = failureOf(received(statusOfFault('Redis does not answer', 1_000.3)));
  assert.ok(fraction.kind === 'unavailable' && Math.abs((fraction.retryMs ?? 0) - 1_000.3) < 1e-3);
});

test('a thrown fault is unavailable with its message; a bug says nothing of itself', () => {
  assert.equal(statusOfThrown(new Fault('S3 is away')).code, status.UNAVAILABLE);
  const busy = statusOfThrown(new BusyFault('64 uploads are under way'));
  assert.equal(busy.code, status.RESOURCE_EXHAUSTED);
  assert.deepEqual(failureOf(received(busy)), {
    kind: 'unavailable',
    message: '64 uploads are under way',
    retryMs: FAULT_RETRY_MS,
  });
  const bug = statusOfThrown(new Error('secret of the server'));
  assert.equal(bug.code, status.INTERNAL);
  assert.doesNotMatch(bug.details ?? '', /secret/);
});

test('statuses without details: those of a network are unavailable, those of a request are broken', () => {
  assert.equal(failureOf(received({ code: status.UNAVAILABLE, details: 'no connection' })).kind, 'unavailable');
  assert.equal(failureOf(received({ code: status.DEADLINE_EXCEEDED, details: 'late' })).kind, 'unavailable');
  assert.deepEqual(failureOf(received({ code: status.UNIMPLEMENTED, details: 'no such method' })), {
    kind: 'broken',
    message: 'UNIMPLEMENTED: no such method',
  });
  assert.deepEqual(failureOf(new TypeError('x is not a function')), {
    kind: 'broken',
    message: 'TypeError: x is not a function',
  });
});

test('details that cannot be read leave the code to speak', () => {
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff, 0xff]));
  assert.deepEqual(failureOf(received({ code: status.UNAVAILABLE, details: 'proxy', metadata })), {
    kind: 'unavailable',
    message: 'proxy',
    retryMs: null,
  });
});

test('a reason of a newer server leaves the code to speak', () => {
  const answer = statusOfRefusal(refuse('late', 'the round is closed'));
  const bytes = answer.metadata?.get('grpc-status-details-bin')[0];
  assert.ok(bytes instanceof Buffer);
  const renamed = Buffer.from(bytes.toString('latin1').replace('LATE', 'TALE'), 'latin1');
  answer.metadata?.set('grpc-status-details-bin', renamed);
  assert.deepEqual(failureOf(received(answer)), {
    kind: 'broken',
    message: 'FAILED_PRECONDITION: the round is closed',
  });
});

test('a message that does not fit into a trailer is cut, in the text and in the details', () => {
  const answer = statusOfRefusal(refuse('badSpec', 'p'.repeat(100_000)));
  const bytes = answer.metadata?.get('grpc-status-details-bin')[0];
  assert.ok(bytes instanceof Buffer);
  assert.equal(answer.details?.length, 1_500);
  assert.ok(answer.details?.endsWith('…'));
  assert.equal(Status.decode(bytes).message, answer.details);
  assert.equal(statusOfRefusal(refuse('badSpec', 'p'.repeat(1_500))).details, 'p'.repeat(1_500));
});
