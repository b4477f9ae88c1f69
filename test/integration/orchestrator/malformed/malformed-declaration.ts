import { OpenUploadRequest } from '@flexlora/contracts/transfer/v1/transfer_service';
import type { RefusalReason } from '@flexlora/core';
import { between, type Draw, drawUint64, oneOf } from './draw.ts';
import type { Maker, Target } from './malformed-upload.ts';
import { numberField } from './wire.ts';

const SAFE_MAX = BigInt(Number.MAX_SAFE_INTEGER);
const SAMPLES_MAX = 100_000_000_000n;
const UINT32_MAX = 2 ** 32 - 1;

const BAD_IDS = [
  '',
  ' ',
  'A',
  '..',
  'a..b',
  '-a',
  'a-',
  'a/b',
  '../a',
  'a\0b',
  'ä',
  '😀',
  'a\n',
  '%61',
  'x'.repeat(64),
];
export const badId = (draw: Draw): string =>
  oneOf(draw, [...BAD_IDS, 'x'.repeat(between(draw, 64, 100_000)), '\u202e'.repeat(between(draw, 1, 2_000))]);

function badDigest(draw: Draw, right: string): string {
  const at = between(draw, 0, right.length - 1);
  return oneOf(draw, [
    '',
    right.slice(0, at),
    `${right}0`,
    ` ${right}`,
    `${right}\n`,
    `${right.slice(0, at)}${oneOf(draw, ['g', 'A', ' ', '\0', 'é'])}${right.slice(at + 1)}`,
    'x'.repeat(between(draw, 65, 50_000)),
  ]);
}

/** A whole number that a double does not hold. */
const unsafe = (draw: Draw): bigint => SAFE_MAX + 1n + BigInt.asUintN(63, drawUint64(draw));

interface Wrong {
  readonly change?: Partial<OpenUploadRequest>;
  /** Numbers past what the generated code writes; by field. */
  readonly numbers?: Readonly<Record<number, bigint>>;
  readonly reasons: readonly RefusalReason[];
  readonly says: RegExp;
}

const BYTES_FIELD = 4;
const SAMPLES_FIELD = 6;

const WRONG: Readonly<Record<string, (draw: Draw, target: Target, right: OpenUploadRequest) => Wrong>> = {
  run_id: (draw) => ({ change: { runId: badId(draw) }, reasons: ['badId'], says: /^run_id is "/ }),
  'a run that is not': () => ({ change: { runId: 'nowhere' }, reasons: ['unknownRun'], says: /no run nowhere/ }),
  agent_id: (draw) => ({ change: { agentId: badId(draw) }, reasons: ['badId'], says: /^agent_id is "/ }),
  'an agent that is not': () => ({ change: { agentId: 'nobody' }, reasons: ['unknownAgent'], says: /agent nobody/ }),
  round: (draw, _target, { round }) => ({
    change: { round: oneOf(draw, [0, round + 1, between(draw, round + 1, UINT32_MAX), UINT32_MAX]) },
    reasons: ['unknownRound', 'late', 'notAssigned'],
    says: /round (is )?\d+/,
  }),
  'bytes of no update': (draw, _target, { bytes }) => ({
    change: {
      bytes: oneOf(draw, [1, between(draw, 1, 60), bytes + (5 << 20), between(draw, 5 << 20, 2 ** 50), 2 ** 53 - 1]),
    },
    reasons: ['badFile', 'tooLarge'],
    says: /^bytes is \d+; .*allowed: above \d+, at most \d+/,
  }),
  'no bytes': () => ({ change: { bytes: 0 }, reasons: ['badNumber'], says: /^bytes is 0; allowed/ }),
  'bytes past 2⁵³': (draw) => ({ numbers: { [BYTES_FIELD]: unsafe(draw) }, reasons: ['badMessage'], says: UNREADABLE }),
  'no samples': () => ({ change: { samples: 0 }, reasons: ['badNumber'], says: /^samples is 0; allowed/ }),
  'too many samples': (draw) => ({
    change: { samples: Number(SAMPLES_MAX) + between(draw, 1, 2 ** 50) },
    reasons: ['badNumber'],
    says: /^samples is \d+; allowed/,
  }),
  'samples past 2⁵³': (draw) => ({
    numbers: { [SAMPLES_FIELD]: unsafe(draw) },
    reasons: ['badMessage'],
    says: UNREADABLE,
  }),
  sha256: (draw, _target, { sha256 }) => ({
    change: { sha256: badDigest(draw, sha256) },
    reasons: ['badDigest'],
    says: /^sha256 is "/,
  }),
  loss: (draw) => ({
    change: { loss: oneOf(draw, [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) },
    reasons: ['badNumber'],
    says: /^loss is (NaN|-?Infinity); allowed/,
  }),
};

const UNREADABLE = /OpenUpload .*allowed/;

/** A right declaration with one wrong field. */
export const malformedDeclaration: Maker = (draw, target) => {
  const bytes = between(draw, 2_000, 4_000);
  const right = { ...target.place, bytes, sha256: 'ab'.repeat(32), samples: 10, loss: 0.5 };
  const [name, wrong] = oneOf(draw, Object.entries(WRONG));
  const { change, numbers = {}, reasons, says } = wrong(draw, target, right);
  const message = OpenUploadRequest.encode({ ...right, ...change }).finish();
  const more = Object.entries(numbers).map(([field, value]) => numberField(Number(field), value));
  return {
    kind: 'message',
    method: 'openUpload',
    bytes: Buffer.concat([message, ...more]),
    what: `declaration: ${name}`,
    reasons,
    says,
  };
};
