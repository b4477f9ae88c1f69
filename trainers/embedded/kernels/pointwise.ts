// @ts-nocheck AssemblyScript, not TypeScript. Counts are in floats, and multiples of 4.
import { exp4, sum4 } from './exp';

/** y += x. */
export function add(y: usize, x: usize, count: i32): void {
  for (let end = y + ((<usize>count) << 2); y < end; y += 16, x += 16)
    v128.store(y, f32x4.add(v128.load(y), v128.load(x)));
}

/** x *= factor. */
export function scale(x: usize, factor: f32, count: i32): void {
  const factors = f32x4.splat(factor);
  for (let end = x + ((<usize>count) << 2); x < end; x += 16) v128.store(x, f32x4.mul(v128.load(x), factors));
}

/** y = silu(gate) ⊙ up. */
export function swiGlu(y: usize, gate: usize, up: usize, count: i32): void {
  const one = f32x4.splat(1);
  for (let end = y + ((<usize>count) << 2); y < end; y += 16, gate += 16, up += 16) {
    const g = v128.load(gate);
    const sigmoid = f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(g))));
    v128.store(y, f32x4.mul(f32x4.mul(g, sigmoid), v128.load(up)));
  }
}

/** Gradients by gate and up, from the gradient by silu(gate) ⊙ up. */
export function swiGluBackward(dGate: usize, dUp: usize, dy: usize, gate: usize, up: usize, count: i32): void {
  const one = f32x4.splat(1);
  for (let end = dy + ((<usize>count) << 2); dy < end; dy += 16, gate += 16, up += 16, dGate += 16, dUp += 16) {
    const g = v128.load(gate);
    const d = v128.load(dy);
    const sigmoid = f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(g))));
    const silu = f32x4.mul(g, sigmoid);
    v128.store(dUp, f32x4.mul(d, silu));
    // silu' = sigmoid + silu · (1 − sigmoid)
    const slope = f32x4.add(sigmoid, f32x4.mul(silu, f32x4.sub(one, sigmoid)));
    v128.store(dGate, f32x4.mul(f32x4.mul(d, v128.load(up)), slope));
  }
}

/** y = x · inverse · weight with inverse = 1 / √(mean(x²) + epsilon), kept per row for the way back. */
export function rmsNorm(y: usize, inverses: usize, x: usize, weight: usize, rows: i32, cols: i32, epsilon: f32): void {
  const bytes: usize = cols << 2;
  for (let i = 0; i < rows; i++, x += bytes, y += bytes) {
    let squares = f32x4.splat(0);
    for (let at: usize = 0; at < bytes; at += 16) {
      const v = v128.load(x + at);
      squares = f32x4.add(squares, f32x4.mul(v, v));
    }
    const inverse = <f32>1 / sqrt<f32>(sum4(squares) / <f32>cols + epsilon);
    store<f32>(inverses + ((<usize>i) << 2), inverse);
    const factor = f32x4.splat(inverse);
    for (let at: usize = 0; at < bytes; at += 16) {
      v128.store(y + at, f32x4.mul(f32x4.mul(v128.load(x + at), factor), v128.load(weight + at)));
    }
  }
}

/** dx += the gradient by x; where dWeight is not 0, dWeight += the gradient by the weight. */
export function rmsNormBackward(
  dx: usize,
  dWeight: usize,
  dy: usize,
  x: usize,
  inverses: usize,
  weight: usize,
  rows: i32,
  cols: i32,
): void {
  const bytes: usize = cols << 2;
  for (let i = 0; i < rows; i++, x += bytes, dx += bytes, dy += bytes) {
    const inverse = load<f32>(inverses + ((<usize>i) << 2));
    let dots = f32x4.splat(0);
    for (let at: usize = 0; at < bytes; at += 16) {
      const g = f32x4.mul(v128.load(dy + at), v128.load(weight + at));
      dots = f32x4.add(dots, f32x4.mul(g, v128.load(x + at)));
    }
    const pull = f32x4.splat((sum4(dots) * inverse * inverse * inverse) / <f32>cols);
    const factor = f32x4.splat(inverse);
    for (let at: usize = 0; at < bytes; at += 16) {
      const g = f32x4.mul(f32x4.mul(v128.load(dy + at), v128.load(weight + at)), factor);
      const change = f32x4.sub(g, f32x4.mul(v128.load(x + at), pull));
      v128.store(dx + at, f32x4.add(v128.load(dx + at), change));
    }
    if (dWeight === 0) continue;
    for (let at: usize = 0; at < bytes; at += 16) {
      const g = f32x4.mul(f32x4.mul(v128.load(dy + at), v128.load(x + at)), factor);
      v128.store(dWeight + at, f32x4.add(v128.load(dWeight + at), g));
    }
  }
}

/**
 * In place, rotary positions as Hugging Face places them (halves, not neighbours): for each head, (a, b) becomes (a·cos − b·sin, b·cos + a·sin),
 * with a the first half of the head and b the second. `direction` −1 turns back, which is the gradient. Tables: length × headSize / 2.
 */
export function rotate(
  x: usize,
  cos: usize,
  sin: usize,
  rows: i32,
  length: i32,
  heads: i32,
  headSize: i32,
  direction: f32,
): void {
  const half: usize = (headSize >> 1) << 2;
  const signs = f32x4.splat(direction);
  for (let i = 0; i < rows; i++) {
    const table = <usize>(i % length) * half;
    for (let h = 0; h < heads; h++, x += half << 1) {
      for (let at: usize = 0; at < half; at += 16) {
        const c = v128.load(cos + table + at);
        const s = f32x4.mul(v128.load(sin + table + at), signs);
        const a = v128.load(x + at);
        const b = v128.load(x + half + at);
        v128.store(x + at, f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)));
        v128.store(x + half + at, f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)));
      }
    }
  }
}

/** One Adam step (Kingma and Ba, algorithm 1). `correction1` and `correction2` are 1 / (1 − βᵗ). */
export function adam(
  parameters: usize,
  gradients: usize,
  means: usize,
  squares: usize,
  count: i32,
  learningRate: f32,
  beta1: f32,
  beta2: f32,
  epsilon: f32,
  correction1: f32,
  correction2: f32,
): void {
  const b1 = f32x4.splat(beta1);
  const b2 = f32x4.splat(beta2);
  const rest1 = f32x4.splat(<f32>1 - beta1);
  const rest2 = f32x4.splat(<f32>1 - beta2);
  const rate = f32x4.splat(learningRate * correction1);
  const c2 = f32x4.splat(correction2);
  const eps = f32x4.splat(epsilon);
  for (let at: usize = 0, bytes = (<usize>count) << 2; at < bytes; at += 16) {
    const g = v128.load(gradients + at);
    const m = f32x4.add(f32x4.mul(b1, v128.load(means + at)), f32x4.mul(rest1, g));
    const v = f32x4.add(f32x4.mul(b2, v128.load(squares + at)), f32x4.mul(rest2, f32x4.mul(g, g)));
    v128.store(means + at, m);
    v128.store(squares + at, v);
    const step = f32x4.div(f32x4.mul(rate, m), f32x4.add(f32x4.sqrt(f32x4.mul(v, c2)), eps));
    v128.store(parameters + at, f32x4.sub(v128.load(parameters + at), step));
  }
}
