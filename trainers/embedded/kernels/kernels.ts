// @ts-nocheck AssemblyScript, not TypeScript: the entry point of kernels.wasm.
export { matmul, transpose } from './matmul';
export { adam, add, rmsNorm, rmsNormBackward, rotate, scale, swiGlu, swiGluBackward } from './pointwise';
export { causalSoftmax, causalSoftmaxBackward, crossEntropy } from './softmax';
