export {
  type Factor,
  type FactorDtype,
  type Kernel,
  KernelError,
  type KernelErrorCode,
  type KernelMethod,
  type KernelTerm,
  type TruncatedSum,
  type TruncateRequest,
} from './kernel.ts';
export { type LoadedKernel, type LoadKernelOptions, loadKernel } from './load-kernel.ts';
export { createNativeKernel } from './native-kernel.ts';
export { createPortableKernel } from './portable-kernel.ts';
