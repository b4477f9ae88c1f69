import { createPortableKernel } from './portable-kernel.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('portable', createPortableKernel);
