// @ts-nocheck AssemblyScript, not TypeScript. What a step of the Householder tridiagonalisation takes: float64, the lower triangle by rows.

/** y = S·x for a symmetric S of an order; x and y have room, and zeros, up to an even length. */
export function symmetricTimes(y: usize, s: usize, x: usize, order: i32, ld: i32): void {
  memory.fill(y, 0, (<usize>((order + 1) & ~1)) << 3);
  for (let i = 0; i < order; i++, s += (<usize>ld) << 3) {
    const xi = load<f64>(x + ((<usize>i) << 3));
    const xs = f64x2.splat(xi);
    let sums = f64x2.splat(0);
    let at: usize = 0;
    for (let end = (<usize>(i & ~1)) << 3; at < end; at += 16) {
      const row = v128.load(s + at);
      sums = f64x2.relaxed_madd(row, v128.load(x + at), sums);
      v128.store(y + at, f64x2.relaxed_madd(row, xs, v128.load(y + at)));
    }
    let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
    for (let end = (<usize>i) << 3; at < end; at += 8) {
      const value = load<f64>(s + at);
      sum += value * load<f64>(x + at);
      store<f64>(y + at, load<f64>(y + at) + value * xi);
    }
    store<f64>(y + at, load<f64>(y + at) + sum + load<f64>(s + at) * xi);
  }
}

/** S -= x·yᵀ + y·xᵀ. */
export function symmetricUpdate(s: usize, x: usize, y: usize, order: i32, ld: i32): void {
  for (let i = 0; i < order; i++, s += (<usize>ld) << 3) {
    const xi = load<f64>(x + ((<usize>i) << 3));
    const yi = load<f64>(y + ((<usize>i) << 3));
    const xs = f64x2.splat(xi);
    const ys = f64x2.splat(yi);
    let at: usize = 0;
    for (let end = (<usize>((i + 1) & ~1)) << 3; at < end; at += 16) {
      const row = f64x2.relaxed_nmadd(xs, v128.load(y + at), v128.load(s + at));
      v128.store(s + at, f64x2.relaxed_nmadd(ys, v128.load(x + at), row));
    }
    if ((i & 1) === 0) store<f64>(s + at, load<f64>(s + at) - xi * load<f64>(y + at) - yi * load<f64>(x + at));
  }
}
