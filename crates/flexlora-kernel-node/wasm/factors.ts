// @ts-nocheck AssemblyScript, not TypeScript. Counts and leading dimensions are in values.

/** binary16 to binary32, exactly: the exponent is put right by a multiplication, which also brings subnormals to their place. Finite values only. */
export function widenHalf(to: usize, from: usize, count: i32): void {
  const rebias = f32x4.splat(reinterpret<f32>((127 + 112) << 23));
  let i = 0;
  for (; i + 4 <= count; i += 4, from += 8, to += 16) {
    const bits = v128.load_ext<u16>(from);
    const magnitude = i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13);
    const sign = i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16);
    v128.store(to, v128.or(f32x4.mul(magnitude, rebias), sign));
  }
  for (; i < count; i++, from += 2, to += 4) {
    const bits = <u32>load<u16>(from);
    const value = reinterpret<f32>((bits & 0x7fff) << 13) * reinterpret<f32>((127 + 112) << 23);
    store<u32>(to, reinterpret<u32>(value) | ((bits & 0x8000) << 16));
  }
}

/** bfloat16 to binary32: its upper half. */
export function widenBf16(to: usize, from: usize, count: i32): void {
  let i = 0;
  for (; i + 4 <= count; i += 4, from += 8, to += 16) v128.store(to, i32x4.shl(v128.load_ext<u16>(from), 16));
  for (; i < count; i++, from += 2, to += 4) store<u32>(to, (<u32>load<u16>(from)) << 16);
}

/** to = factor · from, rounded once: the product is taken in float64, because the factor may lie beyond float32. */
export function place(to: usize, ldTo: i32, from: usize, ldFrom: i32, rows: i32, cols: i32, factor: f64): void {
  for (let i = 0; i < rows; i++, to += (<usize>ldTo) << 2, from += (<usize>ldFrom) << 2) {
    for (let at: usize = 0, end = (<usize>cols) << 2; at < end; at += 4)
      store<f32>(to + at, <f32>(factor * <f64>load<f32>(from + at)));
  }
}

/** to (cols × rows) = factor · fromᵀ, rounded once. */
export function placeTransposed(
  to: usize,
  ldTo: i32,
  from: usize,
  ldFrom: i32,
  rows: i32,
  cols: i32,
  factor: f64,
): void {
  const step: usize = ldTo << 2;
  for (let i = 0; i < rows; i++, to += 4, from += (<usize>ldFrom) << 2) {
    let target = to;
    for (let at: usize = 0, end = (<usize>cols) << 2; at < end; at += 4, target += step)
      store<f32>(target, <f32>(factor * <f64>load<f32>(from + at)));
  }
}
