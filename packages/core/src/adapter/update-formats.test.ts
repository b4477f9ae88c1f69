import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ModuleName } from '../ids.ts';
import { isRefusal } from '../refusal.ts';
import { peftTensorName, SCALES_SUFFIX } from './peft-names.ts';
import { encodeSafetensorsHeader, type TensorShape } from './safetensors-encode.ts';
import { parseSafetensorsHeader } from './safetensors-header.ts';
import { UPDATE_FORMATS, type UpdateDtype, type UpdateFormat } from './update-format.ts';
import { readFactorEntries } from './update-header.ts';
import { createUpdateValidator, type UpdateExpectation } from './update-validator.ts';

const q = 'layers.0.q_proj' as ModuleName;
const [nameOfA, nameOfB] = [peftTensorName(q, 'a'), peftTensorName(q, 'b')];
const assigned = (format: UpdateFormat): UpdateExpectation => ({
  kind: 'assignment',
  modules: [{ name: q, out: 5, in: 7, rank: 2, format }],
});
const factorsOf = (dtype: UpdateDtype): readonly TensorShape[] => [
  { name: nameOfA, dtype, shape: [2, 7] },
  { name: nameOfB, dtype, shape: [5, 2] },
];
const scalesOf = (name: string, rows: number): TensorShape => ({
  name: name + SCALES_SUFFIX,
  dtype: 'F32',
  shape: [rows],
});
const int8: readonly TensorShape[] = [...factorsOf('I8'), scalesOf(nameOfA, 2), scalesOf(nameOfB, 5)];

/** Every byte of the numbers is 128, which is −128 and of which no float is NaN; `words` are where they are asked for. */
function fileOf(shapes: readonly TensorShape[], words: Readonly<Record<number, number>> = {}): Uint8Array {
  const { header, bytes } = encodeSafetensorsHeader(shapes);
  const file = new Uint8Array(header.fileBytes).fill(0x80);
  file.set(bytes);
  const view = new DataView(file.buffer);
  for (const tensor of header.tensors) {
    if (!tensor.name.endsWith(SCALES_SUFFIX)) continue;
    for (let at = tensor.begin; at < tensor.end; at += 4) view.setUint32(at, 0x3f800000, true);
  }
  for (const [index, word] of Object.entries(words)) view.setUint32(header.dataAt + 4 * Number(index), word, true);
  return file;
}

function validate(file: Uint8Array, format: UpdateFormat, cuts: readonly number[] = []) {
  const validator = createUpdateValidator(assigned(format));
  const at = [0, ...cuts.map((cut) => cut % (file.byteLength + 1)).sort((x, y) => x - y), file.byteLength];
  for (let i = 1; i < at.length; i++) {
    const refusal = validator.push(file.slice(at[i - 1], at[i]));
    if (refusal !== null) return refusal;
  }
  return validator.end();
}

function messageOf(answer: unknown): string {
  assert.ok(isRefusal(answer), 'expected a refusal');
  return `${answer.reason}: ${answer.message}`;
}

test('an update has the type of the run alone, and a refusal says which and what to do', () => {
  const taken: Readonly<Record<UpdateFormat, readonly UpdateDtype[]>> = {
    'as-trained': ['F32', 'F16', 'BF16'],
    f32: ['F32'],
    bf16: ['BF16'],
    f16: ['F16'],
    int8: ['I8'],
  };
  for (const format of UPDATE_FORMATS) {
    for (const dtype of ['F32', 'F16', 'BF16', 'I8'] as const) {
      const answer = validate(fileOf(dtype === 'I8' ? int8 : factorsOf(dtype)), format);
      if (taken[format].includes(dtype)) {
        assert.ok(!isRefusal(answer), isRefusal(answer) ? answer.message : '');
        continue;
      }
      const allowed = taken[format].join(', ');
      assert.equal(
        messageOf(answer),
        `badTensor: tensor ${nameOfA} has dtype ${dtype}; allowed: ${allowed}, by the run's update format ${format}: convert it, as a client agent of this version does`,
      );
    }
  }
});

test('scales are checked as they pass, wherever they are cut: the first that is none is named by its row', () => {
  // The scales come first: wider elements do.
  const words = fc.constantFrom(0x7f800000, 0x7fc00000, 0xff800000, 0xbf800000, 0x80000001, 0x7c000000);
  fc.assert(
    fc.property(fc.nat(6), words, fc.array(fc.nat(), { maxLength: 9 }), (index, word, cuts) => {
      const [tensor, row] = index < 2 ? [nameOfA, index] : [nameOfB, index - 2];
      const message = messageOf(validate(fileOf(int8, { [index]: word }), 'int8', cuts));
      assert.match(message, new RegExp(`^notFinite: tensor ${tensor}\\.scales holds no scale at index ${row}; `));
    }),
  );
  for (const word of [0, 0x80000000, 1, 0x7bffffff]) {
    assert.ok(!isRefusal(validate(fileOf(int8, { 3: word }), 'int8')), word.toString(16));
  }
});

test('factors of 8 bits without their scales, and scales without theirs, are refused', () => {
  const cases: readonly (readonly [readonly TensorShape[], RegExp])[] = [
    [int8.slice(0, 3), /lora_B\.weight\.scales is missing; allowed: F32 \[5\], the scale of each row/],
    [[...int8.slice(0, 3), scalesOf(nameOfB, 4)], /lora_B\.weight\.scales is F32 \[4\]; allowed: F32 \[5\]/],
    [[...int8.slice(0, 3), { ...scalesOf(nameOfB, 5), dtype: 'F16' }], /scales is F16 \[5\]; allowed: F32 \[5\]/],
    [[...factorsOf('F32'), scalesOf(nameOfA, 2)], /lora_A\.weight\.scales has no factor of dtype I8/],
  ];
  for (const [shapes, words] of cases) assert.match(messageOf(validate(fileOf(shapes), 'int8')), words);
});

test('the data of every tensor is aligned to its elements', () => {
  const { header } = encodeSafetensorsHeader([...int8, { name: 'half', dtype: 'F16', shape: [3] }]);
  const wide: Readonly<Record<string, number>> = { F32: 4, F16: 2, I8: 1 };
  for (const { begin, dtype } of header.tensors) assert.equal(begin % wide[dtype]!, 0);
});

test('an adapter that is no update is of the types that PEFT saves', () => {
  const file = fileOf(int8);
  const header = parseSafetensorsHeader(file, file.byteLength);
  assert.ok(!isRefusal(header));
  assert.match(messageOf(readFactorEntries(header)), /^badTensor: tensor .*lora_A/);
});
