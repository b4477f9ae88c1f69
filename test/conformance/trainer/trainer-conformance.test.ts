import { fileURLToPath } from 'node:url';
import { trainerConformance } from './trainer-conformance.ts';

const main = fileURLToPath(new URL('../../../trainers/embedded/src/main.ts', import.meta.url));

trainerConformance({ command: [process.execPath, main], data: null, learningRate: 3e-3 });
