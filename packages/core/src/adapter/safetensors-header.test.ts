import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { SAFETENSORS_HEADER_BYTES_MAX } from '../limits.ts';
import { isRefusal, type RefusalReason } from '../refusal.ts';
import { encodeSafetensorsHeader } from './safetensors-encode.ts';
import { parseSafetensorsHeader, safetensorsDataAt } from './safetensors-header.ts';

function headerOf(json: unknown, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof json === 'string' ? json : JSON.stringify(json));
  const bytes = new Uint8Array(8 + text.byteLength);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.byteLength), true);
  bytes.set(text, 8);
  return bytes;
}

function assertRefused(answer: unknown, reason: RefusalReason, words: RegExp): void {
  assert.ok(isRefusal(answer), 'expected a refusal');
  assert.equal(answer.reason, reason);
  assert.match(answer.message, words);
}

const f32 = (shape: readonly number[], from: number, to: number) => ({ dtype: 'F32', shape, data_offsets: [from, to] });

describe('parseSafetensorsHeader', () => {
  it('reads what encodeSafetensorsHeader wrote, whatever the tensors', () => {
    const shape = fc.record({
      name: fc.string({ minLength: 1, maxLength: 20 }).filter((name) => name !== '__metadata__'),
      dtype: fc.constantFrom('F32' as const, 'F16' as const, 'BF16' as const),
      shape: fc.array(fc.nat(40), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(shape, { selector: ({ name }) => name, maxLength: 8 }), (shapes) => {
        const { header, bytes } = encodeSafetensorsHeader(shapes);
        assert.equal(bytes.byteLength % 8, 0);
        const read = parseSafetensorsHeader(bytes, header.fileBytes);
        assert.ok(!isRefusal(read), isRefusal(read) ? read.message : '');
        const byName = (x: { name: string }, y: { name: string }) => (x.name < y.name ? -1 : 1);
        assert.deepEqual(read.tensors.toSorted(byName), header.tensors.toSorted(byName));
        assert.equal(read.fileBytes, header.fileBytes);
      }),
    );
  });

  it('writes the same bytes for the same tensors in any order', () => {
    const shapes = ['b', 'a', 'c'].map((name) => ({ name, dtype: 'F32' as const, shape: [2] }));
    assert.deepEqual(encodeSafetensorsHeader(shapes).bytes, encodeSafetensorsHeader(shapes.toReversed()).bytes);
  });

  it('keeps __metadata__ apart from the tensors', () => {
    const read = parseSafetensorsHeader(headerOf({ __metadata__: { format: 'pt' }, x: f32([1], 0, 4) }), null);
    assert.ok(!isRefusal(read));
    assert.deepEqual(read.metadata, { format: 'pt' });
    assert.deepEqual(
      read.tensors.map(({ name }) => name),
      ['x'],
    );
  });

  it('takes texts that look like members of an object', () => {
    const metadata = { 'a":{"b': '\\":{[:', ':': '}]' };
    const read = parseSafetensorsHeader(headerOf({ __metadata__: metadata, x: f32([1], 0, 4) }), null);
    assert.ok(!isRefusal(read));
    assert.deepEqual(read.metadata, metadata);
  });

  it('orders tensors by their data, not by the JSON', () => {
    const read = parseSafetensorsHeader(headerOf({ x: f32([1], 4, 8), y: f32([1], 0, 4) }), null);
    assert.ok(!isRefusal(read));
    assert.deepEqual(
      read.tensors.map(({ name }) => name),
      ['y', 'x'],
    );
  });

  const refused: readonly [string, Uint8Array, number | null, RefusalReason, RegExp][] = [
    [
      'a zip',
      Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0),
      null,
      'badFile',
      /PyTorch pickle; only safetensors.*save_pretrained/,
    ],
    ['a bare pickle', Uint8Array.of(0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46), null, 'badFile', /PyTorch pickle/],
    ['seven bytes', new Uint8Array(7), null, 'badFile', /ends after 7 bytes/],
    ['a length of 0', new Uint8Array(8), null, 'badFile', /length is 0 bytes; allowed: 2 to/],
    [
      'a length past the limit',
      headerOf('{}', BigInt(SAFETENSORS_HEADER_BYTES_MAX) + 1n),
      null,
      'badFile',
      /4194305 bytes; allowed/,
    ],
    ['a length past 2^53', headerOf('{}', 1n << 60n), null, 'badFile', /allowed: 2 to/],
    ['a cut header', headerOf('{}', 50n), null, 'badFile', /ends after 10 bytes, inside its header of 58/],
    ['no JSON', headerOf('{"x":'), null, 'badFile', /not JSON/],
    ['a list', headerOf('[]'), null, 'badFile', /not an object/],
    ['white space before the header', headerOf(' {}'), null, 'badFile', /begins with the byte 32; allowed: 123/],
    ['a byte order mark', headerOf('\uFEFF{}'), null, 'badFile', /begins with the byte 239; allowed: 123/],
    [
      'a tensor that is described twice, for a reader who takes the first',
      headerOf(`{"x":${JSON.stringify(f32([9], 0, 36))},"x":${JSON.stringify(f32([1], 0, 4))}}`),
      null,
      'badFile',
      /names 8 members and holds 4: a name stands twice/,
    ],
    [
      'a field of a tensor that stands twice, once written otherwise',
      headerOf('{"x":{"dtype":"F16","dt\\u0079pe":"F32","shape":[1],"data_offsets":[0,4]}}'),
      null,
      'badFile',
      /names 5 members and holds 4/,
    ],
    [
      'metadata that stands twice',
      headerOf('{"__metadata__":{},"__metadata__":{}}'),
      null,
      'badFile',
      /a name stands twice/,
    ],
    ...['shape', 'dtype', 'data_offsets'].map((field): (typeof refused)[number] => [
      `a ${field} of lists in lists, which no stack holds`,
      headerOf(`{"x":{"${field}":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`),
      null,
      'badFile',
      /nests 100002 objects and lists; allowed: 16/,
    ]),
    ['metadata of numbers', headerOf({ __metadata__: { a: 1 } }), null, 'badFile', /__metadata__/],
    [
      'an unknown dtype',
      headerOf({ x: { ...f32([1], 0, 4), dtype: 'F7' } }),
      null,
      'badTensor',
      /tensor x has dtype "F7"; allowed: BOOL/,
    ],
    [
      'a dtype of Object.prototype',
      headerOf({ x: { ...f32([1], 0, 4), dtype: 'constructor' } }),
      null,
      'badTensor',
      /has dtype/,
    ],
    ['a negative side', headerOf({ x: f32([-1], 0, 4) }), null, 'badTensor', /tensor x has shape \[-1\]/],
    ['a side of 1.5', headerOf({ x: f32([1.5], 0, 6) }), null, 'badTensor', /has shape/],
    ['offsets turned round', headerOf({ x: f32([1], 4, 0) }), null, 'badTensor', /data_offsets \[4,0\]/],
    [
      'a shape that does not fit its bytes',
      headerOf({ x: f32([2], 0, 4) }),
      null,
      'badTensor',
      /is 8 bytes, but its data_offsets span 4/,
    ],
    [
      'a shape whose product overflows',
      headerOf({ x: f32([2 ** 40, 2 ** 40], 0, 4) }),
      null,
      'badTensor',
      /data_offsets span 4/,
    ],
    ['a gap at the start', headerOf({ x: f32([1], 4, 8) }), null, 'badTensor', /leaves a gap/],
    [
      'a gap',
      headerOf({ x: f32([1], 0, 4), y: f32([1], 8, 12) }),
      null,
      'badTensor',
      /tensor y begins at byte 8 .* gap/,
    ],
    ['an overlap', headerOf({ x: f32([2], 0, 8), y: f32([1], 4, 8) }), null, 'badTensor', /overlaps/],
    ['a cut file', headerOf({ x: f32([1], 0, 4) }), 20, 'badFile', /file has 20 bytes; its header describes .*cut off/],
    ['an appended file', headerOf({ x: f32([1], 0, 4) }), 4000, 'badFile', /something was appended/],
  ];
  for (const [what, bytes, fileBytes, reason, words] of refused) {
    it(`refuses ${what}`, () => assertRefused(parseSafetensorsHeader(bytes, fileBytes), reason, words));
  }

  it('takes a header of the largest length, though its first bytes look like a pickle', () => {
    // 0x0280 = 640: the length of this header begins with the opcode of a pickle.
    const text = JSON.stringify({ x: f32([1], 0, 4) }).padEnd(0x0280);
    assert.ok(!isRefusal(parseSafetensorsHeader(headerOf(text), null)));
    assert.equal(
      safetensorsDataAt(headerOf('{}', BigInt(SAFETENSORS_HEADER_BYTES_MAX))),
      SAFETENSORS_HEADER_BYTES_MAX + 8,
    );
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.jsonValue(), (bytes, json) => {
        parseSafetensorsHeader(bytes, null);
        parseSafetensorsHeader(headerOf(json), null);
        parseSafetensorsHeader(headerOf({ x: json }), null);
      }),
    );
  });
});
