import { createEmbeddedTrainer } from './embedded-trainer.ts';
import { serveProtocol } from './serve-protocol.ts';

// The embedded trainer as a program: `node main.ts` speaks the trainer protocol on its standard input and output. One thread computes, so that
// this one can hear `cancel`.
process.stdout.on('error', () => process.exit(1));
await serveProtocol(createEmbeddedTrainer({ threads: 1 }), process.stdin, process.stdout);
process.stdin.destroy();
