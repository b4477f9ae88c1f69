// @ts-nocheck AssemblyScript, not TypeScript: `npm run build:kernels -w @flexlora/embedded-trainer` compiles it to kernels.wasm.

/**
 * C = A·B, or C += A·B; row-major f32, leading dimensions in floats. m and k are multiples of 4, n of 8.
 *
 * One inner loop keeps a 4 × 8 tile of C in eight registers. Eight columns of B are first copied to `pack` (k × 8 floats), so that the loop
 * reads memory in order and from the nearest cache, whatever B's width; with few rows the copy would cost more than it saves.
 */
export function matmul(
  c: usize,
  a: usize,
  b: usize,
  m: i32,
  n: i32,
  k: i32,
  lda: i32,
  ldb: i32,
  ldc: i32,
  accumulate: i32,
  pack: usize,
): void {
  const aRow: usize = lda << 2;
  const bRow: usize = ldb << 2;
  const cRow: usize = ldc << 2;
  for (let j = 0; j < n; j += 8) {
    let panel = b + ((<usize>j) << 2);
    let step = bRow;
    if (m > 8) {
      let from = panel;
      for (let to = pack, end = pack + ((<usize>k) << 5); to < end; to += 32, from += bRow) {
        v128.store(to, v128.load(from));
        v128.store(to, v128.load(from, 16), 16);
      }
      panel = pack;
      step = 32;
    }
    for (let i = 0; i < m; i += 4) {
      const a0 = a + <usize>i * aRow;
      const c0 = c + <usize>i * cRow + ((<usize>j) << 2);
      tile(c0, cRow, a0, aRow, panel, step, k, accumulate);
    }
  }
}

function tile(c0: usize, cRow: usize, a0: usize, aRow: usize, b: usize, bRow: usize, k: i32, accumulate: i32): void {
  const c1 = c0 + cRow;
  const c2 = c1 + cRow;
  const c3 = c2 + cRow;
  let a1 = a0 + aRow;
  let a2 = a1 + aRow;
  let a3 = a2 + aRow;
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  if (accumulate) {
    s00 = v128.load(c0);
    s01 = v128.load(c0, 16);
    s10 = v128.load(c1);
    s11 = v128.load(c1, 16);
    s20 = v128.load(c2);
    s21 = v128.load(c2, 16);
    s30 = v128.load(c3);
    s31 = v128.load(c3, 16);
  }
  // Four steps of k at a time, so that the addresses move once for 32 multiply-adds.
  for (let q = 0; q < k; q += 4) {
    let b0 = v128.load(b);
    let b1 = v128.load(b, 16);
    let x = v128.load32_splat(a0);
    s00 = f32x4.relaxed_madd(x, b0, s00);
    s01 = f32x4.relaxed_madd(x, b1, s01);
    x = v128.load32_splat(a1);
    s10 = f32x4.relaxed_madd(x, b0, s10);
    s11 = f32x4.relaxed_madd(x, b1, s11);
    x = v128.load32_splat(a2);
    s20 = f32x4.relaxed_madd(x, b0, s20);
    s21 = f32x4.relaxed_madd(x, b1, s21);
    x = v128.load32_splat(a3);
    s30 = f32x4.relaxed_madd(x, b0, s30);
    s31 = f32x4.relaxed_madd(x, b1, s31);
    b += bRow;
    b0 = v128.load(b);
    b1 = v128.load(b, 16);
    x = v128.load32_splat(a0, 4);
    s00 = f32x4.relaxed_madd(x, b0, s00);
    s01 = f32x4.relaxed_madd(x, b1, s01);
    x = v128.load32_splat(a1, 4);
    s10 = f32x4.relaxed_madd(x, b0, s10);
    s11 = f32x4.relaxed_madd(x, b1, s11);
    x = v128.load32_splat(a2, 4);
    s20 = f32x4.relaxed_madd(x, b0, s20);
    s21 = f32x4.relaxed_madd(x, b1, s21);
    x = v128.load32_splat(a3, 4);
    s30 = f32x4.relaxed_madd(x, b0, s30);
    s31 = f32x4.relaxed_madd(x, b1, s31);
    b += bRow;
    b0 = v128.load(b);
    b1 = v128.load(b, 16);
    x = v128.load32_splat(a0, 8);
    s00 = f32x4.relaxed_madd(x, b0, s00);
    s01 = f32x4.relaxed_madd(x, b1, s01);
    x = v128.load32_splat(a1, 8);
    s10 = f32x4.relaxed_madd(x, b0, s10);
    s11 = f32x4.relaxed_madd(x, b1, s11);
    x = v128.load32_splat(a2, 8);
    s20 = f32x4.relaxed_madd(x, b0, s20);
    s21 = f32x4.relaxed_madd(x, b1, s21);
    x = v128.load32_splat(a3, 8);
    s30 = f32x4.relaxed_madd(x, b0, s30);
    s31 = f32x4.relaxed_madd(x, b1, s31);
    b += bRow;
    b0 = v128.load(b);
    b1 = v128.load(b, 16);
    x = v128.load32_splat(a0, 12);
    s00 = f32x4.relaxed_madd(x, b0, s00);
    s01 = f32x4.relaxed_madd(x, b1, s01);
    x = v128.load32_splat(a1, 12);
    s10 = f32x4.relaxed_madd(x, b0, s10);
    s11 = f32x4.relaxed_madd(x, b1, s11);
    x = v128.load32_splat(a2, 12);
    s20 = f32x4.relaxed_madd(x, b0, s20);
    s21 = f32x4.relaxed_madd(x, b1, s21);
    x = v128.load32_splat(a3, 12);
    s30 = f32x4.relaxed_madd(x, b0, s30);
    s31 = f32x4.relaxed_madd(x, b1, s31);
    b += bRow;
    a0 += 16;
    a1 += 16;
    a2 += 16;
    a3 += 16;
  }
  v128.store(c0, s00);
  v128.store(c0, s01, 16);
  v128.store(c1, s10);
  v128.store(c1, s11, 16);
  v128.store(c2, s20);
  v128.store(c2, s21, 16);
  v128.store(c3, s30);
  v128.store(c3, s31, 16);
}

/** to (cols × rows) = fromᵀ, from being rows × cols with a leading dimension; both multiples of 4. */
export function transpose(to: usize, from: usize, rows: i32, cols: i32, ldFrom: i32): void {
  const toRow: usize = rows << 2;
  const fromRow: usize = ldFrom << 2;
  for (let i = 0; i < rows; i += 4) {
    let source = from + <usize>i * fromRow;
    let target = to + ((<usize>i) << 2);
    for (let j = 0; j < cols; j += 4) {
      const r0 = v128.load(source);
      const r1 = v128.load(source + fromRow);
      const r2 = v128.load(source + 2 * fromRow);
      const r3 = v128.load(source + 3 * fromRow);
      const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
      const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
      const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
      v128.store(target, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
      v128.store(target + toRow, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7));
      v128.store(target + 2 * toRow, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5));
      v128.store(target + 3 * toRow, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7));
      source += 16;
      target += toRow << 2;
    }
  }
}
