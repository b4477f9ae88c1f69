// @ts-nocheck AssemblyScript, not TypeScript. Reflections and rotations of float64 rows; lengths are even, leading dimensions in values.

/** Every row x becomes x·(I − scale·v·vᵀ). */
export function reflectRows(matrix: usize, v: usize, rows: i32, length: i32, ld: i32, scale: f64): void {
  const bytes: usize = length << 3;
  for (let i = 0; i < rows; i++, matrix += (<usize>ld) << 3) {
    let sums = f64x2.splat(0);
    for (let at: usize = 0; at < bytes; at += 16)
      sums = f64x2.relaxed_madd(v128.load(matrix + at), v128.load(v + at), sums);
    const along = f64x2.splat(-scale * (f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1)));
    for (let at: usize = 0; at < bytes; at += 16)
      v128.store(matrix + at, f64x2.relaxed_madd(v128.load(v + at), along, v128.load(matrix + at)));
  }
}

/**
 * Turns rows last and last − 1, then last − 1 and last − 2, and so on, `count` times: (low, high) becomes (c·low − s·high, s·low + c·high). Pairs (c, s) in
 * that order. Eight columns at a time, so that every row is read and written once.
 */
export function rotateRows(matrix: usize, turns: usize, last: i32, count: i32, length: i32, ld: i32): void {
  const row: usize = ld << 3;
  const start = matrix + <usize>last * row;
  for (let at: usize = 0, bytes = (<usize>length) << 3; at < bytes; at += 64)
    rotateEight(start + at, turns, count, row);
}

function rotateEight(high: usize, turn: usize, count: i32, row: usize): void {
  let h0 = v128.load(high);
  let h1 = v128.load(high, 16);
  let h2 = v128.load(high, 32);
  let h3 = v128.load(high, 48);
  for (let i = 0; i < count; i++, turn += 16) {
    const low = high - row;
    const c = v128.load64_splat(turn);
    const s = v128.load64_splat(turn, 8);
    const l0 = v128.load(low);
    const l1 = v128.load(low, 16);
    const l2 = v128.load(low, 32);
    const l3 = v128.load(low, 48);
    v128.store(high, f64x2.relaxed_madd(s, l0, f64x2.mul(c, h0)));
    v128.store(high, f64x2.relaxed_madd(s, l1, f64x2.mul(c, h1)), 16);
    v128.store(high, f64x2.relaxed_madd(s, l2, f64x2.mul(c, h2)), 32);
    v128.store(high, f64x2.relaxed_madd(s, l3, f64x2.mul(c, h3)), 48);
    h0 = f64x2.relaxed_nmadd(s, h0, f64x2.mul(c, l0));
    h1 = f64x2.relaxed_nmadd(s, h1, f64x2.mul(c, l1));
    h2 = f64x2.relaxed_nmadd(s, h2, f64x2.mul(c, l2));
    h3 = f64x2.relaxed_nmadd(s, h3, f64x2.mul(c, l3));
    high = low;
  }
  v128.store(high, h0);
  v128.store(high, h1, 16);
  v128.store(high, h2, 32);
  v128.store(high, h3, 48);
}
