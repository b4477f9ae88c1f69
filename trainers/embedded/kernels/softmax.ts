// @ts-nocheck AssemblyScript, not TypeScript.
import { exp4, sum4 } from './exp';

/** In place: row i of the size × size scores becomes softmax(scale · scores[i, 0…i]), and zero beyond. size is a multiple of 4. */
export function causalSoftmax(scores: usize, size: i32, scale: f32): void {
  for (let i = 0; i < size; i++) {
    const row = scores + ((<usize>i * <usize>size) << 2);
    const end = row + ((<usize>((i + 4) & ~3)) << 2);
    let max = load<f32>(row);
    for (let j = 1; j <= i; j++) max = NativeMathf.max(max, load<f32>(row + ((<usize>j) << 2)));
    for (let j = i + 1; j < size; j++) store<f32>(row + ((<usize>j) << 2), -Infinity);
    const shift = f32x4.splat(max);
    const scales = f32x4.splat(scale);
    let sums = f32x4.splat(0);
    for (let at = row; at < end; at += 16) {
      const e = exp4(f32x4.mul(f32x4.sub(v128.load(at), shift), scales));
      sums = f32x4.add(sums, e);
      v128.store(at, e);
    }
    const inverse = f32x4.splat(<f32>1 / sum4(sums));
    for (let at = row; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), inverse));
    for (let j = i + 1; j < size; j++) store<f32>(row + ((<usize>j) << 2), 0);
  }
}

/** In place: the gradient by the probabilities becomes the gradient by the scores, scale · p ⊙ (g − Σ p ⊙ g). */
export function causalSoftmaxBackward(gradient: usize, probabilities: usize, size: i32, scale: f32): void {
  const bytes: usize = size << 2;
  for (let i = 0; i < size; i++) {
    const g = gradient + <usize>i * bytes;
    const p = probabilities + <usize>i * bytes;
    let dots = f32x4.splat(0);
    for (let at: usize = 0; at < bytes; at += 16)
      dots = f32x4.add(dots, f32x4.mul(v128.load(g + at), v128.load(p + at)));
    const dot = f32x4.splat(sum4(dots));
    const scales = f32x4.splat(scale);
    for (let at: usize = 0; at < bytes; at += 16) {
      const centred = f32x4.sub(v128.load(g + at), dot);
      v128.store(g + at, f32x4.mul(f32x4.mul(v128.load(p + at), centred), scales));
    }
  }
}

/**
 * In place: logits (rows × cols) become scale · (softmax − one-hot of the target); a row whose target is negative becomes zero. Row i's loss is
 * margins[i] + ln(sums[i]): the largest logit less the target's, and the sum of exponentials over the largest. (The logarithm is left to
 * the caller, in double precision.)
 */
export function crossEntropy(
  logits: usize,
  targets: usize,
  margins: usize,
  sums: usize,
  rows: i32,
  cols: i32,
  scale: f32,
): void {
  const bytes: usize = cols << 2;
  for (let i = 0; i < rows; i++) {
    const row = logits + <usize>i * bytes;
    const target = load<i32>(targets + ((<usize>i) << 2));
    if (target < 0) {
      memory.fill(row, 0, bytes);
      continue;
    }
    let largest = v128.load(row);
    for (let at: usize = 16; at < bytes; at += 16) largest = f32x4.max(largest, v128.load(row + at));
    const max = NativeMathf.max(
      NativeMathf.max(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
      NativeMathf.max(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
    );
    store<f32>(margins + ((<usize>i) << 2), max - load<f32>(row + ((<usize>target) << 2)));
    const shift = f32x4.splat(max);
    let total = f32x4.splat(0);
    for (let at: usize = 0; at < bytes; at += 16) {
      const e = exp4(f32x4.sub(v128.load(row + at), shift));
      total = f32x4.add(total, e);
      v128.store(row + at, e);
    }
    const sum = sum4(total);
    store<f32>(sums + ((<usize>i) << 2), sum);
    const inverse = f32x4.splat(scale / sum);
    for (let at: usize = 0; at < bytes; at += 16) v128.store(row + at, f32x4.mul(v128.load(row + at), inverse));
    const hit = row + ((<usize>target) << 2);
    store<f32>(hit, load<f32>(hit) - scale);
  }
}
