export { BATCH_BYTES_MAX, batchesOf } from './batches.ts';
export {
  type Factor,
  type FactorDtype,
  KERNEL_METHODS,
  type Kernel,
  KernelError,
  type KernelErrorCode,
  type KernelMethod,
  type KernelPlan,
  type KernelSum,
  type KernelTerm,
  MEMORY_BYTES,
  type SumRequest,
  TOLERANCE,
  TOLERANCE_EXACT,
  type TruncatedSum,
  type TruncateRequest,
} from './kernel.ts';
export { type LoadedKernel, type LoadKernelOptions, loadKernel } from './load-kernel.ts';
export { type MeasuredPeakOptions, measuredPeak } from './measured-peak.ts';
export { createNativeKernel, type NativeKernelOptions } from './native-kernel.ts';
export { createPortableKernel } from './portable-kernel.ts';
export { readAhead } from './read-ahead.ts';
