import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { drawPlan } from './faults/draw-plan.ts';
import { describeFault, type FaultPlan } from './faults/fault-plan.ts';
import { shrinkPlan } from './faults/shrink-plan.ts';
import { runPlan, type SeedResult } from './seeds/run-seed.ts';
import { runSeeds, type SeedReport, type Summary } from './seeds/run-seeds.ts';

const USAGE = `node test/simulation/run.ts [options]
  --seeds <n>      plays n seeds (1000 when neither --seeds nor --plan is given with another option)
  --seed <n>       the first of them; alone: plays this one and shows what is left of its faults when it fails
  --trace          tells every step of one seed or plan
  --plan <file>    plays a fault plan
  --save <file>    writes the shrunk plan of a failing seed there
  --workers <n>    threads (2)`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string' },
      plan: { type: 'string' },
      save: { type: 'string' },
      workers: { type: 'string' },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const seed = wholeNumber('seed', values.seed, 1);
  if (values.plan !== undefined)
    return playOne(JSON.parse(readFileSync(values.plan, 'utf8')), values.trace, values.save);
  if (values.seed !== undefined && values.seeds === undefined)
    return playOne(drawPlan(seed), values.trace, values.save);
  const workers = values.workers === undefined ? {} : { workers: wholeNumber('workers', values.workers, 2) };
  return playMany({ from: seed, count: wholeNumber('seeds', values.seeds, 1_000), ...workers });
}

function wholeNumber(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new RangeError(`--${name} is ${JSON.stringify(text)}; allowed: a whole number from 0\n${USAGE}`);
}

async function playMany(request: {
  readonly from: number;
  readonly count: number;
  readonly workers?: number;
}): Promise<number> {
  const startedAt = performance.now();
  const summary = await runSeeds({ ...request, onResult: tellFailure });
  console.log(`${summaryText(summary)}\n${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  return summary.failed.length === 0 ? 0 : 1;
}

function tellFailure({ seed, broken }: SeedReport): void {
  if (broken.length > 0)
    console.log(`seed ${seed}: ${broken[0]}\n  node test/simulation/run.ts --seed ${seed} --trace`);
}

function summaryText({ seeds, failed, struck, seen, outcomes, steps, acknowledged, virtualMs }: Summary): string {
  const list = (map: ReadonlyMap<string, number>): string =>
    [...map]
      .sort()
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  const hours = (virtualMs / 3_600_000).toFixed(1);
  return [
    `${seeds} seeds, ${failed.length} failed; ${steps} steps, ${hours} virtual hours, ${acknowledged} updates acknowledged`,
    `ends: ${list(outcomes)}`,
    `faults, in seeds: ${list(struck)}`,
    `seen, in seeds: ${list(seen)}`,
  ].join('\n');
}

async function playOne(plan: FaultPlan, trace: boolean, save: string | undefined): Promise<number> {
  console.log(JSON.stringify(plan.world));
  for (const planned of plan.faults) console.log(`  ${describeFault(planned)}`);
  const result = await runPlan(plan, trace ? (line) => console.log(line) : undefined);
  if (result.broken.length === 0) {
    console.log(`${result.outcome} after ${result.virtualMs} virtual ms and ${result.steps} steps`);
    return 0;
  }
  for (const sentence of result.broken) console.log(`BROKEN: ${sentence}`);
  const shrunk = await shrinkPlan(plan, async (smaller) => isSameFailure(await runPlan(smaller), result));
  console.log(`what it needs of ${plan.faults.length} faults:`);
  for (const planned of shrunk.faults) console.log(`  ${describeFault(planned)}`);
  if (save !== undefined) writeFileSync(save, `${JSON.stringify(shrunk, null, 2)}\n`);
  return 1;
}

/** Another failure may hide behind fewer faults: names and numbers aside, the sentence must be the same. */
const isSameFailure = (got: SeedResult, wanted: SeedResult): boolean =>
  shapeOf(got.broken[0] ?? '') === shapeOf(wanted.broken[0] ?? '');

const shapeOf = (sentence: string): string => (sentence.split('\n')[0] ?? '').replace(/[0-9a-f]{8,}|\d+/g, '#');

process.exitCode = await main();
