// @ts-nocheck AssemblyScript, not TypeScript: the entry point of kernels.wasm.
export { place, placeTransposed, widenBf16, widenHalf } from './factors';
export { gram, sumOfSquares } from './gram';
export { packColumns, packRows, packRowsTransposed, packTransposed } from './pack';
export { probeImage, probeRows } from './probe';
export { addProduct } from './product';
export { symmetricTimes, symmetricUpdate } from './reduce';
export { reflectRows, rotateRows } from './rotate';
export { orthogonalize, widen } from './vectors';
