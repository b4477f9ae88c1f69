import { Fault } from '@flexlora/core';
import { ConfigError } from '@flexlora/runtime';
import { UsageError } from '../start/options.ts';
import { abortOnSignals } from './abort-on-signals.ts';
import { sentenceOfFileError } from './file-error.ts';
import { RunNotCompleted } from './follow-run.ts';
import { type FederationReport, renderReport } from './report.ts';

/** A command that runs one federation and reports. */
export interface FederationCommand<Options> {
  readonly name: string;
  readonly help: string;
  /** Null when help was asked for. @throws {UsageError} */
  readonly parse: (args: readonly string[]) => Options | null;
  readonly federate: (options: Options, interrupted: AbortSignal) => Promise<FederationReport>;
}

/** What a shell expects of a process that Ctrl-C stopped. */
const INTERRUPTED = 130;

/** Exit code 0 only when it trained; 1 when it could not, 2 for wrong usage, 130 when it was stopped. */
export function federationCommand<Options extends { readonly output: 'view' | 'json' }>(
  command: FederationCommand<Options>,
): (args: readonly string[]) => Promise<number> {
  const say = (message: string): void => {
    process.stderr.write(`flexlora ${command.name}: ${message}\n`);
  };
  return async (args) => {
    const interrupted = abortOnSignals();
    try {
      const options = command.parse(args);
      if (options === null) {
        process.stdout.write(command.help);
        return 0;
      }
      const report = await command.federate(options, interrupted.signal);
      process.stderr.write(renderReport(report));
      if (options.output === 'json') process.stdout.write(`${JSON.stringify(report)}\n`);
      return 0;
    } catch (error) {
      if (interrupted.signal.aborted) {
        say('stopped');
        return INTERRUPTED;
      }
      if (error instanceof UsageError || error instanceof ConfigError) {
        say(error.message);
        return 2;
      }
      const sentence =
        error instanceof Fault || error instanceof RunNotCompleted ? error.message : sentenceOfFileError(error);
      if (sentence !== null) {
        say(sentence);
        return 1;
      }
      throw error;
    } finally {
      interrupted.release();
    }
  };
}
