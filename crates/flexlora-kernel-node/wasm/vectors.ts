// @ts-nocheck AssemblyScript, not TypeScript. Float64 rows; lengths are even, leading dimensions in values.

/** float32 to float64. */
export function widen(to: usize, from: usize, count: i32): void {
  for (let end = from + ((<usize>count) << 2); from < end; from += 8, to += 16)
    v128.store(to, f64x2.promote_low_f32x4(v128.load64_zero(from)));
}

/** Takes from x its parts along the orthonormal rows, one after the other, and returns the square of what is left. */
export function orthogonalize(x: usize, others: usize, rows: i32, length: i32, ld: i32): f64 {
  const bytes: usize = length << 3;
  for (let i = 0; i < rows; i++, others += (<usize>ld) << 3) {
    const along = f64x2.splat(-dot(x, others, bytes));
    for (let at: usize = 0; at < bytes; at += 16)
      v128.store(x + at, f64x2.relaxed_madd(v128.load(others + at), along, v128.load(x + at)));
  }
  return dot(x, x, bytes);
}

function dot(x: usize, y: usize, bytes: usize): f64 {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let at: usize = 0;
  for (; at + 32 <= bytes; at += 32) {
    s0 = f64x2.relaxed_madd(v128.load(x + at), v128.load(y + at), s0);
    s1 = f64x2.relaxed_madd(v128.load(x + at, 16), v128.load(y + at, 16), s1);
  }
  for (; at < bytes; at += 16) s0 = f64x2.relaxed_madd(v128.load(x + at), v128.load(y + at), s0);
  const sums = f64x2.add(s0, s1);
  return f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
}
