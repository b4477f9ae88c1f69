import { readFileSync } from 'node:fs';
import { KernelError } from '../kernel.ts';

/** A byte offset in the memory of the WebAssembly functions. */
export type Address = number;

/** The functions of kernels.wasm; wasm/*.ts documents each. Counts, lengths and leading dimensions are in values. */
export interface WasmFunctions {
  addProduct(c: Address, a: Address, b: Address, rows: number, cols: number, k: number, ldc: number): void;
  packRows(to: Address, from: Address, rows: number, k: number, ld: number): void;
  packRowsTransposed(to: Address, from: Address, rows: number, k: number, ld: number): void;
  packColumns(to: Address, from: Address, k: number, cols: number, ld: number): void;
  packTransposed(to: Address, from: Address, cols: number, k: number, ld: number): void;
  widenHalf(to: Address, from: Address, count: number): void;
  widenBf16(to: Address, from: Address, count: number): void;
  place(to: Address, ldTo: number, from: Address, ldFrom: number, rows: number, cols: number, factor: number): void;
  placeTransposed(
    to: Address,
    ldTo: number,
    from: Address,
    ldFrom: number,
    rows: number,
    cols: number,
    factor: number,
  ): void;
  probeRows(image: Address, a: Address, probes: Address, rows: number, cols: number, ld: number): void;
  probeImage(
    image: Address,
    b: Address,
    g: Address,
    rows: number,
    rank: number,
    factor: number,
    product: Address,
  ): void;
  gram(
    to: Address,
    ldTo: number,
    a: Address,
    b: Address,
    rowsA: number,
    rowsB: number,
    length: number,
    ld: number,
  ): void;
  sumOfSquares(at: Address, count: number): number;
  symmetricTimes(y: Address, s: Address, x: Address, order: number, ld: number): void;
  symmetricUpdate(s: Address, x: Address, y: Address, order: number, ld: number): void;
  reflectRows(matrix: Address, v: Address, rows: number, length: number, ld: number, scale: number): void;
  rotateRows(matrix: Address, turns: Address, last: number, count: number, length: number, ld: number): void;
  widen(to: Address, from: Address, count: number): void;
  orthogonalize(x: Address, others: Address, rows: number, length: number, ld: number): number;
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** The parts of the WebAssembly API that are used here; Node's types leave it to the browser's. */
interface WebAssemblyApi {
  readonly Memory: new (limits: { readonly initial: number; readonly maximum: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: Record<string, Record<string, unknown>>,
  ) => { readonly exports: object };
}

export const PAGE_BYTES = 65_536;

/** What 32 bits address. */
export const WASM_BYTES_MAX = 2 ** 32;

/** A tile of `addProduct`; the same constants as in wasm/pack.ts. */
export const TILE_ROWS = 6;
export const TILE_COLUMNS = 8;

export interface Wasm {
  readonly functions: WasmFunctions;
  readonly memory: WasmMemory;
}

/**
 * A fresh instance with a memory of its own.
 *
 * @throws {KernelError} `internal` where this Node has no WebAssembly with relaxed SIMD: the float64 methods need none.
 */
export function loadWasm(file: URL = WASM_FILE): Wasm {
  try {
    const api = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;
    const memory = new api.Memory({ initial: 1, maximum: WASM_BYTES_MAX / PAGE_BYTES });
    const { exports } = new api.Instance(new api.Module(readFileSync(file)), { env: { memory } });
    return { functions: exports as WasmFunctions, memory };
  } catch (cause) {
    const [line] = String(cause).split('\n');
    throw new KernelError(
      'internal',
      `the method accumulated needs WebAssembly with relaxed SIMD, which cannot be had here (${line}): use Node 22 or later, or ask for the method stacked or dense`,
      { cause },
    );
  }
}

/** The same place from src/portable and from where a compiler puts it, in a folder beside src. */
const WASM_FILE = new URL('../../wasm/kernels.wasm', import.meta.url);
