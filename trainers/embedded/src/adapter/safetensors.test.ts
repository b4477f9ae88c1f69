import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { factorValues } from '@flexlora/core/peft';
import fc from 'fast-check';
import { float32ToF16 } from './half-floats.ts';
import { decodeSafetensors, encodeSafetensors, type Tensor } from './safetensors.ts';

const f16ToFloat32 = (halves: Uint16Array) =>
  factorValues({ dtype: 'F16', rows: halves.length, cols: 1, bytes: new Uint8Array(halves.buffer) });

const tensors = new Map<string, Tensor>([
  ['b', { shape: [2, 3], data: Float32Array.from([1, -2, 3.5, 0, 1e-3, 7]) }],
  ['a', { shape: [4], data: Float32Array.from([0.25, 0.5, -1, 2]) }],
]);

test('what is written is read again, as f32 exactly and as f16 rounded', () => {
  assert.deepEqual(decodeSafetensors(encodeSafetensors(tensors, 'F32')), tensors);
  const halves = decodeSafetensors(encodeSafetensors(tensors, 'F16'));
  assert.deepEqual(halves.get('a'), tensors.get('a'));
  assert.ok(Math.abs(halves.get('b')!.data[4]! - 1e-3) < 1e-6);
});

test('a tensor read from a file holds its own bytes alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'flexlora-safetensors-'));
  try {
    writeFileSync(join(folder, 'x'), encodeSafetensors(tensors, 'F16'));
    assert.equal(decodeSafetensors(readFileSync(join(folder, 'x'))).get('b')!.data.length, 6);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('equal tensors give equal bytes, in whatever order they come', () => {
  const turned = new Map([...tensors].reverse());
  assert.deepEqual(encodeSafetensors(turned, 'F32'), encodeSafetensors(tensors, 'F32'));
});

test('a file that is cut off anywhere is refused', () => {
  const whole = encodeSafetensors(tensors, 'F32');
  for (let bytes = 0; bytes < whole.length; bytes++)
    assert.throws(
      () => decodeSafetensors(whole.subarray(0, bytes)),
      /cut off|the file ends after/,
      `${bytes} of ${whole.length} bytes`,
    );
});

test('a header that lies is refused with what is wrong', () => {
  const file = (header: unknown): Uint8Array => {
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    return Buffer.concat([length, json, Buffer.alloc(64)]);
  };
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [[], /not an object/],
    [{ x: { dtype: 'I64', shape: [8], data_offsets: [0, 64] } }, /dtype "I64"; allowed: F32, F16, BF16/],
    [
      { x: { dtype: 'F32', shape: [2, 2], data_offsets: [0, 8] } },
      /x is F32 \[2,2\], which is 16 bytes, but its data_offsets span 8/,
    ],
    [{ x: { dtype: 'F32', shape: [-1], data_offsets: [0, 8] } }, /x has shape \[-1\]/],
    [{ x: { dtype: 'F32', shape: [32], data_offsets: [0, 128] } }, /cut off/],
    [
      {
        x: { dtype: 'F32', shape: [8], data_offsets: [0, 32] },
        y: { dtype: 'F32', shape: [8], data_offsets: [16, 48] },
      },
      /y .* overlaps the tensor before it/,
    ],
  ];
  for (const [header, message] of cases) assert.throws(() => decodeSafetensors(file(header)), message);
});

test('every f16 survives the way to f32 and back', () => {
  const all = Uint16Array.from({ length: 65_536 }, (_, i) => i);
  const back = float32ToF16(f16ToFloat32(all));
  all.forEach((half, i) => {
    const isNan = (half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0;
    if (!isNan) assert.equal(back[i], half);
  });
});

test('f32 to f16 takes the nearest', () => {
  const neighbours = (half: number) => [...f16ToFloat32(Uint16Array.of(half - 1, half, half + 1))];
  fc.assert(
    fc.property(fc.float({ min: Math.fround(1e-7), max: 60_000, noNaN: true }), (value) => {
      const half = float32ToF16(Float32Array.of(value))[0]!;
      if (half === 0) return value <= 2 ** -25;
      const [below, own, above] = neighbours(half) as [number, number, number];
      return Math.abs(own - value) <= Math.min(Math.abs(below - value), Math.abs(above - value));
    }),
  );
});
