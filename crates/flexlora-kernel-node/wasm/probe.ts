// @ts-nocheck AssemblyScript, not TypeScript. The proof's products, in float64, over float32 values of the factors; lengths in values.

/** image (rows × 8) = a·G, with a rows × cols and G cols × 8, both row-major. */
export function probeRows(image: usize, a: usize, probes: usize, rows: i32, cols: i32, ld: i32): void {
  for (let i = 0; i < rows; i++, a += (<usize>ld) << 2, image += 64) timesEight(image, a, probes, cols);
}

/** image (rows × 8) += factor · (b·g), with g (rank × 8) what `probeRows` gave. */
export function probeImage(image: usize, b: usize, g: usize, rows: i32, rank: i32, factor: f64, product: usize): void {
  const factors = f64x2.splat(factor);
  for (let i = 0; i < rows; i++, b += (<usize>rank) << 2, image += 64) {
    timesEight(product, b, g, rank);
    for (let at: usize = 0; at < 64; at += 16)
      v128.store(image + at, f64x2.relaxed_madd(v128.load(product + at), factors, v128.load(image + at)));
  }
}

function timesEight(to: usize, row: usize, matrix: usize, length: i32): void {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (let end = row + ((<usize>length) << 2); row < end; row += 4, matrix += 64) {
    const x = f64x2.splat(<f64>load<f32>(row));
    s0 = f64x2.relaxed_madd(x, v128.load(matrix), s0);
    s1 = f64x2.relaxed_madd(x, v128.load(matrix, 16), s1);
    s2 = f64x2.relaxed_madd(x, v128.load(matrix, 32), s2);
    s3 = f64x2.relaxed_madd(x, v128.load(matrix, 48), s3);
  }
  v128.store(to, s0);
  v128.store(to, s1, 16);
  v128.store(to, s2, 32);
  v128.store(to, s3, 48);
}
