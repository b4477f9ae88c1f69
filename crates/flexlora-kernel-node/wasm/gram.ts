// @ts-nocheck AssemblyScript, not TypeScript. Float64 sums of float32 rows; lengths are multiples of 2, leading dimensions in values.

/** to[i, j] = Σ a[i, q]·b[j, q]; rowsA is a multiple of 4, rowsB of 2. */
export function gram(to: usize, ldTo: i32, a: usize, b: usize, rowsA: i32, rowsB: i32, length: i32, ld: i32): void {
  const row: usize = ld << 2;
  for (let i = 0; i < rowsA; i += 4) {
    for (let j = 0; j < rowsB; j += 2)
      tile(
        to + ((<usize>(i * ldTo + j)) << 3),
        (<usize>ldTo) << 3,
        a + <usize>i * row,
        b + <usize>j * row,
        row,
        length,
      );
  }
}

function tile(to: usize, toRow: usize, a0: usize, b0: usize, row: usize, length: i32): void {
  let a1 = a0 + row;
  let a2 = a1 + row;
  let a3 = a2 + row;
  let b1 = b0 + row;
  let s00 = f64x2.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  for (let end = a0 + ((<usize>length) << 2); a0 < end; a0 += 8, a1 += 8, a2 += 8, a3 += 8, b0 += 8, b1 += 8) {
    const x0 = f64x2.promote_low_f32x4(v128.load64_zero(b0));
    const x1 = f64x2.promote_low_f32x4(v128.load64_zero(b1));
    let y = f64x2.promote_low_f32x4(v128.load64_zero(a0));
    s00 = f64x2.relaxed_madd(y, x0, s00);
    s01 = f64x2.relaxed_madd(y, x1, s01);
    y = f64x2.promote_low_f32x4(v128.load64_zero(a1));
    s10 = f64x2.relaxed_madd(y, x0, s10);
    s11 = f64x2.relaxed_madd(y, x1, s11);
    y = f64x2.promote_low_f32x4(v128.load64_zero(a2));
    s20 = f64x2.relaxed_madd(y, x0, s20);
    s21 = f64x2.relaxed_madd(y, x1, s21);
    y = f64x2.promote_low_f32x4(v128.load64_zero(a3));
    s30 = f64x2.relaxed_madd(y, x0, s30);
    s31 = f64x2.relaxed_madd(y, x1, s31);
  }
  store<f64>(to, total(s00));
  store<f64>(to, total(s01), 8);
  store<f64>(to + toRow, total(s10));
  store<f64>(to + toRow, total(s11), 8);
  store<f64>(to + 2 * toRow, total(s20));
  store<f64>(to + 2 * toRow, total(s21), 8);
  store<f64>(to + 3 * toRow, total(s30));
  store<f64>(to + 3 * toRow, total(s31), 8);
}

export function sumOfSquares(at: usize, count: i32): f64 {
  let sums = f64x2.splat(0);
  for (let end = at + ((<usize>count) << 2); at < end; at += 8) {
    const x = f64x2.promote_low_f32x4(v128.load64_zero(at));
    sums = f64x2.relaxed_madd(x, x, sums);
  }
  return total(sums);
}

function total(x: v128): f64 {
  return f64x2.extract_lane(x, 0) + f64x2.extract_lane(x, 1);
}
