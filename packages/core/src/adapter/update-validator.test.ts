import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ModuleName } from '../ids.ts';
import { isRefusal, type RefusalReason } from '../refusal.ts';
import { bytesOfValues, type FactorDtype } from './factor.ts';
import { peftTensorName } from './peft-names.ts';
import { encodeSafetensorsHeader } from './safetensors-encode.ts';
import { createUpdateValidator, type UpdateExpectation } from './update-validator.ts';

const q = 'layers.0.q_proj' as ModuleName;
const v = 'layers.0.v_proj' as ModuleName;
const assigned: UpdateExpectation = {
  kind: 'assignment',
  modules: [
    { name: q, out: 5, in: 7, rank: 2 },
    { name: v, out: 3, in: 7, rank: 1 },
  ],
};
const shapes: readonly (readonly [string, readonly number[]])[] = [
  [peftTensorName(q, 'a'), [2, 7]],
  [peftTensorName(q, 'b'), [5, 2]],
  [peftTensorName(v, 'a'), [1, 7]],
  [peftTensorName(v, 'b'), [3, 1]],
];

/** A file of ones, or of the given bytes at an element of a tensor. */
function fileOf(
  tensors: readonly (readonly [string, readonly number[]])[],
  dtype: FactorDtype = 'F32',
  poison?: { readonly tensor: string; readonly index: number; readonly bits: readonly number[] },
): Uint8Array {
  const { header, bytes } = encodeSafetensorsHeader(tensors.map(([name, shape]) => ({ name, dtype, shape })));
  const file = new Uint8Array(header.fileBytes);
  file.set(bytes);
  const one = { F32: bytesOfValues(Float32Array.of(1)), F16: Uint8Array.of(0, 0x3c), BF16: Uint8Array.of(0x80, 0x3f) }[
    dtype
  ];
  for (let at = header.dataAt; at < file.byteLength; at += one.byteLength) file.set(one, at);
  if (poison !== undefined) {
    const tensor = header.tensors.find(({ name }) => name === poison.tensor)!;
    file.set(poison.bits, tensor.begin + poison.index * one.byteLength);
  }
  return file;
}

function validate(file: Uint8Array, cuts: readonly number[], expectation = assigned) {
  const validator = createUpdateValidator(expectation);
  const at = [0, ...cuts.map((cut) => cut % (file.byteLength + 1)).sort((x, y) => x - y), file.byteLength];
  for (let i = 1; i < at.length; i++) {
    const refusal = validator.push(file.slice(at[i - 1], at[i]));
    if (refusal !== null) {
      assert.equal(validator.end(), refusal, 'a refusal is final');
      return refusal;
    }
  }
  return validator.end();
}

function assertRefused(answer: unknown, reason: RefusalReason, words: RegExp): void {
  assert.ok(isRefusal(answer), 'expected a refusal');
  assert.equal(answer.reason, reason, answer.message);
  assert.match(answer.message, words);
}

const BAD_BITS: Readonly<Record<FactorDtype, readonly (readonly number[])[]>> = {
  F32: [
    [0, 0, 0x80, 0x7f],
    [0, 0, 0x80, 0xff],
    [1, 0, 0xc0, 0x7f],
    [1, 0, 0x80, 0x7f],
  ],
  F16: [
    [0, 0x7c],
    [0, 0xfc],
    [1, 0x7e],
  ],
  BF16: [
    [0x80, 0x7f],
    [0x80, 0xff],
    [0xc1, 0x7f],
  ],
};
const cuts = fc.array(fc.nat(), { maxLength: 12 });
const dtypes = fc.constantFrom<FactorDtype>('F32', 'F16', 'BF16');

describe('createUpdateValidator', () => {
  it('takes an update that is as assigned, cut anywhere', () => {
    fc.assert(
      fc.property(dtypes, cuts, (dtype, at) => {
        const answer = validate(fileOf(shapes, dtype), at);
        assert.ok(!isRefusal(answer), isRefusal(answer) ? answer.message : '');
        assert.deepEqual([...answer.modules.keys()], [q, v]);
        assert.equal(answer.modules.get(q)!.b.rows, 5);
      }),
    );
  });

  it('takes an update byte by byte', () => {
    const file = fileOf(shapes);
    assert.ok(!isRefusal(validate(file, Array.from(file.keys()))));
  });

  it('names the tensor and index of NaN or infinity, wherever it is and however the bytes are cut', () => {
    fc.assert(
      fc.property(dtypes, fc.nat(), fc.nat(), fc.nat(), cuts, (dtype, which, where, bits, at) => {
        const [tensor, shape] = shapes[which % shapes.length]!;
        const index = where % shape.reduce((x, y) => x * y);
        const bad = BAD_BITS[dtype][bits % BAD_BITS[dtype].length]!;
        const answer = validate(fileOf(shapes, dtype, { tensor, index, bits: bad }), at);
        assertRefused(answer, 'notFinite', new RegExp(`tensor ${tensor} .* at index ${index} `));
      }),
    );
  });

  it('takes the largest finite and the smallest subnormal numbers', () => {
    const limits: readonly (readonly [FactorDtype, readonly number[]])[] = [
      ['F32', [0xff, 0xff, 0x7f, 0xff]],
      ['F32', [1, 0, 0, 0]],
      ['F16', [0xff, 0xfb]],
      ['BF16', [0x7f, 0x7f]],
    ];
    for (const [dtype, bits] of limits) {
      assert.ok(!isRefusal(validate(fileOf(shapes, dtype, { tensor: shapes[0]![0], index: 3, bits }), [])));
    }
  });

  it('scans a tensor that is longer than a block at an odd address', () => {
    const name = peftTensorName(q, 'a');
    const long = [
      [name, [1, 100_003]],
      [peftTensorName(q, 'b'), [1, 1]],
    ] as const;
    const file = fileOf(long, 'F16', { tensor: name, index: 99_999, bits: [0, 0x7c] });
    const odd = new Uint8Array(file.byteLength + 1).subarray(1);
    odd.set(file);
    const validator = createUpdateValidator({ kind: 'anyAdapter' });
    assertRefused(validator.push(odd), 'notFinite', /index 99999 /);
  });

  it('refuses a file that is cut off at any byte, and says where', () => {
    const file = fileOf(shapes);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: file.byteLength - 1 }), cuts, (length, at) => {
        assertRefused(validate(file.subarray(0, length), at), 'badFile', new RegExp(`after ${length} bytes`));
      }),
    );
  });

  it('refuses bytes after the last tensor', () => {
    const file = fileOf(shapes);
    const longer = new Uint8Array(file.byteLength + 1);
    longer.set(file);
    assertRefused(validate(longer, []), 'tooLarge', /bytes follow the last tensor/);
  });

  it('refuses before the first byte of data when a tensor is not as assigned', () => {
    const refused: readonly [string, readonly (readonly [string, readonly number[]])[], RefusalReason, RegExp][] = [
      ['a missing factor', shapes.slice(1), 'badTensor', /q_proj\.lora_A\.weight is missing/],
      ['a missing module', shapes.slice(2), 'badTensor', /q_proj\.lora_A\.weight is missing; allowed: all 2 modules/],
      [
        'another rank',
        [[shapes[0]![0], [3, 7]], [shapes[1]![0], [5, 3]], ...shapes.slice(2)],
        'rankOutOfRange',
        /rank of .*q_proj.* is 3; the assignment allows 2/,
      ],
      ['another width', [[shapes[0]![0], [2, 8]], ...shapes.slice(1)], 'badTensor', /q_proj is 5 × 8 .*allowed: 5 × 7/],
      ['factors of two ranks', [[shapes[0]![0], [1, 7]], ...shapes.slice(1)], 'badTensor', /\[5, 2\] and .* \[1, 7\]/],
      [
        'rank 0',
        [[shapes[0]![0], [0, 7]], ...shapes.slice(1)],
        'badTensor',
        /shape \[0, 7\]; allowed: two sides of at least 1/,
      ],
      ['a convolution', [[shapes[0]![0], [2, 7, 1, 1]], ...shapes.slice(1)], 'badTensor', /two sides/],
      [
        'a module too many',
        [...shapes, [peftTensorName('x', 'a'), [1, 1]], [peftTensorName('x', 'b'), [1, 1]]],
        'badTensor',
        /\.x\.lora_A\.weight is not of the run/,
      ],
      [
        'a head',
        [...shapes, ['base_model.model.score.weight', [1, 1]]],
        'badTensor',
        /score\.weight is not a LoRA factor.*modules_to_save/,
      ],
      ['a factor twice', [...shapes, [`base_model.model.${q}.lora_A.default.weight`, [2, 7]]], 'badTensor', /repeats/],
    ];
    for (const [what, tensors, reason, words] of refused) {
      const { bytes } = encodeSafetensorsHeader(tensors.map(([name, shape]) => ({ name, dtype: 'F32', shape })));
      const answer = createUpdateValidator(assigned).push(bytes);
      assert.ok(isRefusal(answer), what);
      assertRefused(answer, reason, words);
    }
  });

  it('tolerates the adapter name in tensor names', () => {
    const named = shapes.map(([name, shape]) => [name.replace('.weight', '.default.weight'), shape] as const);
    assert.ok(!isRefusal(validate(fileOf(named), [])));
  });

  it('refuses another dtype by name', () => {
    const text = JSON.stringify({ [shapes[0]![0]]: { dtype: 'F64', shape: [2, 7], data_offsets: [0, 112] } });
    const bytes = new Uint8Array(8 + text.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(new TextEncoder().encode(text), 8);
    assertRefused(createUpdateValidator(assigned).push(bytes), 'badTensor', /dtype F64; allowed: F32, F16, BF16/);
  });

  it('refuses a pickle after eight bytes', () => {
    assertRefused(
      createUpdateValidator(assigned).push(Uint8Array.of(0x50, 0x4b, 3, 4, 1, 2, 3, 4)),
      'badFile',
      /pickle/,
    );
  });

  it('refuses a pickle that is shorter than eight bytes', () => {
    assertRefused(validate(Uint8Array.of(0x50, 0x4b, 3, 4), []), 'badFile', /pickle/);
  });
});
