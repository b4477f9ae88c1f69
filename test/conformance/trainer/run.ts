import { parseArgs } from 'node:util';
import { trainerConformance } from './trainer-conformance.ts';

// npm run conformance:trainer -- [--data <json>] [--learning-rate <number>] <command> [arguments…]
const USAGE = `usage: npm run conformance:trainer -- [--data <json>] [--learning-rate <number>] -- <command> [arguments…]
  --data           what the trainer understands as data; by default {"file": …}, a generated text
  --learning-rate  at which its loss falls within twenty steps with alpha 16; by default 0.003`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { data: { type: 'string' }, 'learning-rate': { type: 'string', default: '0.003' } },
});
const learningRate = Number(values['learning-rate']);
if (positionals.length === 0 || !(learningRate > 0)) {
  console.error(USAGE);
  process.exit(2);
}
trainerConformance({
  command: positionals,
  data: values.data === undefined ? null : (JSON.parse(values.data) as unknown),
  learningRate,
});
