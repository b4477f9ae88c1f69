// @ts-nocheck AssemblyScript, not TypeScript: `npm run build:wasm -w @flexlora/kernel` compiles it to kernels.wasm.
import { COLUMNS, ROWS } from './pack';

/**
 * C += A·B in float32, with A and B as `pack` lays them out for a depth k. C is row-major with a leading dimension in floats; it is written in
 * whole tiles of 6 × 8, so it must have room for them. Each tile is summed from zero and then added, so that the rounding errors of a
 * long product grow with the depth of a block and the number of blocks, not with their product.
 */
export function addProduct(c: usize, a: usize, b: usize, rows: i32, cols: i32, k: i32, ldc: i32): void {
  const aPanel: usize = (k * ROWS) << 2;
  const bPanel: usize = (k * COLUMNS) << 2;
  const cRow: usize = ldc << 2;
  for (let j = 0; j < cols; j += COLUMNS, b += bPanel) {
    let panel = a;
    let to = c + ((<usize>j) << 2);
    for (let i = 0; i < rows; i += ROWS, panel += aPanel, to += cRow * ROWS) tile(to, cRow, panel, b, k);
  }
}

/** Twelve sums, two columns of B and one value of A: fifteen of the sixteen vector registers that every x86-64 processor has. */
function tile(c: usize, cRow: usize, a: usize, b: usize, k: i32): void {
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  let s40 = s00;
  let s41 = s00;
  let s50 = s00;
  let s51 = s00;
  for (let end = a + ((<usize>(k * ROWS)) << 2); a < end; a += ROWS << 2, b += COLUMNS << 2) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a);
    s00 = f32x4.relaxed_madd(x, b0, s00);
    s01 = f32x4.relaxed_madd(x, b1, s01);
    x = v128.load32_splat(a, 4);
    s10 = f32x4.relaxed_madd(x, b0, s10);
    s11 = f32x4.relaxed_madd(x, b1, s11);
    x = v128.load32_splat(a, 8);
    s20 = f32x4.relaxed_madd(x, b0, s20);
    s21 = f32x4.relaxed_madd(x, b1, s21);
    x = v128.load32_splat(a, 12);
    s30 = f32x4.relaxed_madd(x, b0, s30);
    s31 = f32x4.relaxed_madd(x, b1, s31);
    x = v128.load32_splat(a, 16);
    s40 = f32x4.relaxed_madd(x, b0, s40);
    s41 = f32x4.relaxed_madd(x, b1, s41);
    x = v128.load32_splat(a, 20);
    s50 = f32x4.relaxed_madd(x, b0, s50);
    s51 = f32x4.relaxed_madd(x, b1, s51);
  }
  addRow(c, s00, s01);
  addRow(c + cRow, s10, s11);
  addRow(c + 2 * cRow, s20, s21);
  addRow(c + 3 * cRow, s30, s31);
  addRow(c + 4 * cRow, s40, s41);
  addRow(c + 5 * cRow, s50, s51);
}

function addRow(c: usize, low: v128, high: v128): void {
  v128.store(c, f32x4.add(v128.load(c), low));
  v128.store(c, f32x4.add(v128.load(c, 16), high), 16);
}
