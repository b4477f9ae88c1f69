import { UsageError } from './arguments.ts';

/**
 * What both benchmarks do with their arguments and their end: help, exit code 2 for wrong usage, and 130 where they were stopped, after all that
 * they made in temporary folders was removed.
 */
export async function runBench<Options>(
  help: string,
  parse: (args: readonly string[]) => Options | null,
  run: (options: Options, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  try {
    const options = parse(process.argv.slice(2));
    if (options === null) console.log(help);
    else await run(options, stop.signal);
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`${error.message}\n\n${help}`);
      process.exitCode = 2;
    } else if (stop.signal.aborted) {
      console.error('stopped; what was made in temporary folders is removed');
      process.exitCode = 130;
    } else throw error;
  }
}
