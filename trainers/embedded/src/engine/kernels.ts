import { readFileSync } from 'node:fs';
import { HEAP_BYTES_MAX } from '../limits.ts';

/** A byte offset in the kernels' memory. */
export type Address = number;

/** The functions of kernels.wasm; kernels/*.ts documents each. Counts, sizes and leading dimensions are in floats. */
export interface Kernels {
  matmul(
    c: Address,
    a: Address,
    b: Address,
    m: number,
    n: number,
    k: number,
    lda: number,
    ldb: number,
    ldc: number,
    accumulate: 0 | 1,
    pack: Address,
  ): void;
  transpose(to: Address, from: Address, rows: number, cols: number, ldFrom: number): void;
  add(y: Address, x: Address, count: number): void;
  scale(x: Address, factor: number, count: number): void;
  swiGlu(y: Address, gate: Address, up: Address, count: number): void;
  swiGluBackward(dGate: Address, dUp: Address, dy: Address, gate: Address, up: Address, count: number): void;
  rmsNorm(
    y: Address,
    inverses: Address,
    x: Address,
    weight: Address,
    rows: number,
    cols: number,
    epsilon: number,
  ): void;
  rmsNormBackward(
    dx: Address,
    dWeight: Address | 0,
    dy: Address,
    x: Address,
    inverses: Address,
    weight: Address,
    rows: number,
    cols: number,
  ): void;
  rotate(
    x: Address,
    cos: Address,
    sin: Address,
    rows: number,
    length: number,
    heads: number,
    headSize: number,
    direction: 1 | -1,
  ): void;
  causalSoftmax(scores: Address, size: number, scale: number): void;
  causalSoftmaxBackward(gradient: Address, probabilities: Address, size: number, scale: number): void;
  crossEntropy(
    logits: Address,
    targets: Address,
    margins: Address,
    sums: Address,
    rows: number,
    cols: number,
    scale: number,
  ): void;
  adam(
    parameters: Address,
    gradients: Address,
    means: Address,
    squares: Address,
    count: number,
    learningRate: number,
    beta1: number,
    beta2: number,
    epsilon: number,
    correction1: number,
    correction2: number,
  ): void;
}

export interface KernelMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** The parts of the WebAssembly API that are used here; Node's types leave it to the browser's. */
interface WebAssemblyApi {
  readonly Memory: new (limits: { readonly initial: number; readonly maximum: number }) => KernelMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: Record<string, Record<string, unknown>>,
  ) => { readonly exports: object };
}

export const PAGE_BYTES = 65_536;

/** A fresh instance with its own memory, which grows up to `bytesMax`: nothing is shared between two of them. */
export function loadKernels(bytesMax: number = HEAP_BYTES_MAX): {
  readonly kernels: Kernels;
  readonly memory: KernelMemory;
} {
  const api = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly;
  const memory = new api.Memory({ initial: 1, maximum: Math.floor(bytesMax / PAGE_BYTES) });
  const module = new api.Module(readFileSync(new URL('../../kernels/kernels.wasm', import.meta.url)));
  const { exports } = new api.Instance(module, { env: { memory } });
  return { kernels: exports as Kernels, memory };
}
