// @ts-nocheck AssemblyScript, not TypeScript. Leading dimensions are in floats.

/** A tile of a product. */
export const ROWS: i32 = 6;
export const COLUMNS: i32 = 8;

/** The left side of a product, rows × k and row-major: panels of 6 rows, in each all that step 0 reads, then step 1 … Missing rows are zeros. */
export function packRows(to: usize, from: usize, rows: i32, k: i32, ld: i32): void {
  const row: usize = ld << 2;
  for (let i = 0; i < rows; i += ROWS, from += row * ROWS) {
    for (let r = 0; r < ROWS; r++) {
      const source = from + <usize>r * row;
      const target = to + ((<usize>r) << 2);
      const there = i + r < rows;
      for (let q = 0; q < k; q++) {
        const at = (<usize>q) << 2;
        store<f32>(target + at * ROWS, there ? load<f32>(source + at) : 0);
      }
    }
    to += (<usize>(k * ROWS)) << 2;
  }
}

/** The left side from its transpose, k × rows and row-major. Missing rows are zeros. */
export function packRowsTransposed(to: usize, from: usize, rows: i32, k: i32, ld: i32): void {
  for (let i = 0; i < rows; i += ROWS, from += ROWS << 2) {
    const there = rows - i < ROWS ? rows - i : ROWS;
    let source = from;
    for (let q = 0; q < k; q++, to += ROWS << 2, source += (<usize>ld) << 2) {
      for (let r = 0; r < ROWS; r++) {
        const at = (<usize>r) << 2;
        store<f32>(to + at, r < there ? load<f32>(source + at) : 0);
      }
    }
  }
}

/** The right side, k × cols and row-major: panels of 8 columns. Columns up to a multiple of 8 are read: they must be there, and zero. */
export function packColumns(to: usize, from: usize, k: i32, cols: i32, ld: i32): void {
  const row: usize = ld << 2;
  for (let j = 0; j < cols; j += COLUMNS, from += COLUMNS << 2) {
    let source = from;
    for (const end = to + ((<usize>(k * COLUMNS)) << 2); to < end; to += COLUMNS << 2, source += row) {
      v128.store(to, v128.load(source));
      v128.store(to, v128.load(source, 16), 16);
    }
  }
}

/** The right side from its transpose, cols × k and row-major: panels of 8 columns. Missing columns are zeros. */
export function packTransposed(to: usize, from: usize, cols: i32, k: i32, ld: i32): void {
  const row: usize = ld << 2;
  for (let j = 0; j < cols; j += COLUMNS, from += row * COLUMNS) {
    if (j + COLUMNS <= cols) {
      transposeFour(to, from, row, k);
      transposeFour(to + 16, from + 4 * row, row, k);
    } else {
      for (let c = 0; c < COLUMNS; c++) copyColumn(to + ((<usize>c) << 2), from + <usize>c * row, k, j + c < cols);
    }
    to += (<usize>(k * COLUMNS)) << 2;
  }
}

function transposeFour(to: usize, from: usize, row: usize, k: i32): void {
  let q = 0;
  for (; q + 4 <= k; q += 4, from += 16, to += COLUMNS << 4) {
    const r0 = v128.load(from);
    const r1 = v128.load(from + row);
    const r2 = v128.load(from + 2 * row);
    const r3 = v128.load(from + 3 * row);
    const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
    v128.store(to, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7), COLUMNS << 2);
    v128.store(to, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5), COLUMNS << 3);
    v128.store(to, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7), 3 * (COLUMNS << 2));
  }
  for (let c: usize = 0; c < 4; c++) copyColumn(to + (c << 2), from + c * row, k - q, true);
}

function copyColumn(to: usize, from: usize, k: i32, there: bool): void {
  for (let q = 0; q < k; q++, from += 4, to += COLUMNS << 2) store<f32>(to, there ? load<f32>(from) : 0);
}
