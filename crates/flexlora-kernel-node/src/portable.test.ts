import { describe } from 'node:test';
import { createPortableKernel } from './portable-kernel.ts';
import { iterationCases } from './suite/iteration.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('portable', createPortableKernel);

const kernel = createPortableKernel();
describe('portable kernel: the iteration on W', () => iterationCases(() => kernel, 'accumulated'));
