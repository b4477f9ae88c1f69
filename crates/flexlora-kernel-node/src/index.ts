export { BATCH_BYTES_MAX, batchesOf } from './batches.ts';
export {
  type Factor,
  type FactorDtype,
  type Kernel,
  KernelError,
  type KernelErrorCode,
  type KernelMethod,
  type KernelSum,
  type KernelTerm,
  type SumRequest,
  type TruncatedSum,
  type TruncateRequest,
} from './kernel.ts';
export { type LoadedKernel, type LoadKernelOptions, loadKernel } from './load-kernel.ts';
export { createNativeKernel } from './native-kernel.ts';
export { createPortableKernel } from './portable-kernel.ts';
