import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHAOS_HELP, ChaosUsageError, parseChaosOptions } from './chaos-options.ts';
import { planFaults } from './plan/plan-faults.ts';
import { recoveryTable, reportOf, summaryOf } from './report/recovery-table.ts';
import { writeDocs } from './report/write-docs.ts';
import { folderOf, runUnderFaults } from './run-under-faults.ts';
import { NoStores } from './world/stores.ts';

const EXIT = { held: 0, didNotHold: 1, couldNotBegin: 2, interrupted: 130 } as const;

/** Runs everything; resolves to the exit code. */
async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const options = parseChaosOptions(args);
  if (options === null) {
    process.stdout.write(CHAOS_HELP);
    return EXIT.held;
  }
  const { seed, rounds } = options;
  const directory = mkdtempSync(join(tmpdir(), 'flexlora-chaos-'));
  const startedAtMs = Date.now();
  const tell = (line: string): void => {
    process.stderr.write(`${((Date.now() - startedAtMs) / 1000).toFixed(1).padStart(7)} s  ${line}\n`);
  };
  tell(`logs: ${directory}`);
  tell(`undisturbed: ${rounds} rounds, seed ${seed}`);
  // What was broken off leaves nothing behind; what failed leaves its logs.
  signal.addEventListener('abort', () => process.on('exit', () => rmSync(directory, { recursive: true, force: true })));
  const calm = await runUnderFaults({ directory: folderOf(directory, 'calm'), rounds, seed, plan: [], tell }, signal);
  tell(`undisturbed: ${calm.whyNotCompleted ?? 'completed'} after ${calm.seconds.toFixed(1)} s`);
  const plan = planFaults({ faults: options.faults, rounds, seed });
  const disturbed = await runUnderFaults(
    { directory: folderOf(directory, 'disturbed'), rounds, seed, plan, tell },
    signal,
  );
  tell(`under faults: ${disturbed.whyNotCompleted ?? 'completed'} after ${disturbed.seconds.toFixed(1)} s`);

  const report = reportOf(disturbed, calm, { seed, rounds });
  const { failures } = report;
  process.stdout.write(
    options.output === 'json'
      ? `${JSON.stringify(report, null, 2)}\n`
      : `${recoveryTable(report)}\n\n${summaryOf(report)}\n`,
  );
  for (const { service, end } of disturbed.endings) tell(`${service} ended by itself (${end}) and was started again`);
  for (const failure of failures) process.stderr.write(`FAILED: ${failure}\n`);
  if (options.docs === 'write' && failures.length === 0) await writeDocs(report);
  if (options.docs === 'write' && failures.length > 0)
    process.stderr.write('the docs are left as they were: something did not hold\n');
  if (failures.length === 0) rmSync(directory, { recursive: true, force: true });
  else
    process.stderr.write(
      `logs stay in ${directory}; the same again: --faults ${options.faults} --rounds ${rounds} --seed ${seed}\n`,
    );
  return failures.length === 0 ? EXIT.held : EXIT.didNotHold;
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // A second one does not wait until everything has been stopped in order: it is killed as this process exits.
    if (interrupted.signal.aborted) process.exit(EXIT.interrupted);
    interrupted.abort(new Error('interrupted'));
  });
}
const exitCode = await main(process.argv.slice(2), interrupted.signal).catch((error: unknown) => {
  if (interrupted.signal.aborted) return EXIT.interrupted;
  const isExpected = error instanceof ChaosUsageError || error instanceof NoStores;
  console.error(isExpected ? `test:chaos: ${error.message}` : error);
  return isExpected ? EXIT.couldNotBegin : EXIT.didNotHold;
});
process.exit(exitCode);
