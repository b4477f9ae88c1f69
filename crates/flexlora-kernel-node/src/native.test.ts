import { test } from 'node:test';
import { createNativeKernel } from './native-kernel.ts';
import { nativeSkipReason } from './suite/native-skip.ts';
import { kernelSuite } from './suite.ts';

const skip = nativeSkipReason();
if (skip === null) kernelSuite('native', createNativeKernel);
else test('native kernel', { skip });
