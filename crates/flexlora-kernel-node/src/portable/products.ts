import type { Heap } from './heap.ts';
import { type Address, TILE_COLUMNS, TILE_ROWS } from './wasm.ts';

/** A float32 matrix in the heap, row-major; behind `cols` its rows are zero up to a multiple of the tile's columns. */
export interface HeapMatrix {
  readonly at: Address;
  readonly rows: number;
  readonly cols: number;
  readonly ld: number;
}

/** Steps that are summed before they are added to the result: panels of that depth stay in the nearest caches. */
export const DEPTH = 256;

/** Columns of the result that are packed at once. */
const WIDTH = 64;

/** `to += left · right`; `to` has whole tiles of rows. */
export function addTimes(heap: Heap, to: HeapMatrix, left: HeapMatrix, right: HeapMatrix): void {
  heap.scoped(() => {
    const panels = packLeft(heap, left);
    const packed = heap.allocateFloats(DEPTH * WIDTH);
    for (let q = 0; q < left.cols; q += DEPTH) {
      const depth = Math.min(DEPTH, left.cols - q);
      for (let j = 0; j < right.cols; j += WIDTH) {
        const width = Math.min(WIDTH, right.cols - j);
        heap.packColumns(packed, right.at + (q * right.ld + j) * 4, depth, width, right.ld);
        heap.addProduct(to.at + j * 4, panels + q * wholeTiles(left.rows) * 4, packed, left.rows, width, depth, to.ld);
      }
    }
  });
}

/** `to += left · rightᵀ`; `to` has whole tiles of rows. */
export function addTimesTransposed(heap: Heap, to: HeapMatrix, left: HeapMatrix, right: HeapMatrix): void {
  heap.scoped(() => {
    const panels = packLeft(heap, left);
    const packed = heap.allocateFloats(DEPTH * WIDTH);
    for (let j = 0; j < right.rows; j += WIDTH) {
      const width = Math.min(WIDTH, right.rows - j);
      for (let q = 0; q < left.cols; q += DEPTH) {
        const depth = Math.min(DEPTH, left.cols - q);
        heap.packTransposed(packed, right.at + (j * right.ld + q) * 4, width, depth, right.ld);
        heap.addProduct(to.at + j * 4, panels + q * wholeTiles(left.rows) * 4, packed, left.rows, width, depth, to.ld);
      }
    }
  });
}

/** Rows up to whole tiles: what a product writes. */
export function wholeTiles(rows: number): number {
  return Math.ceil(rows / TILE_ROWS) * TILE_ROWS;
}

/** Columns up to whole tiles. */
export function wholeColumns(cols: number): number {
  return Math.ceil(cols / TILE_COLUMNS) * TILE_COLUMNS;
}

/** All of the left side, slice of steps after slice. */
function packLeft(heap: Heap, { at, rows, cols, ld }: HeapMatrix): Address {
  const panels = heap.allocateFloats(wholeTiles(rows) * cols);
  for (let q = 0; q < cols; q += DEPTH)
    heap.packRows(panels + q * wholeTiles(rows) * 4, at + q * 4, rows, Math.min(DEPTH, cols - q), ld);
  return panels;
}
