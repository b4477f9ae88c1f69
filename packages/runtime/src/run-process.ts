import { ConfigError, type Environment } from './config.ts';
import { createLifecycle, type Lifecycle } from './lifecycle.ts';
import { createLogger, type Logger, type LogLevel } from './logger.ts';

/** One service as a process: what its `main.ts` says. */
export interface ProcessDefinition<Config> {
  /** Stands in every line of the log. */
  readonly service: string;
  /** @throws {ConfigError} */
  readonly readConfig: (env: Environment) => Config;
  /**
   * Resolves when the process serves. A process that has an end of its own resolves when it has ended, and stops its lifecycle before.
   * What it throws ends the process, after all that it registered with the lifecycle.
   */
  readonly start: (config: Config, tools: ProcessTools) => Promise<void>;
}

export interface ProcessTools {
  readonly logger: Logger;
  readonly lifecycle: Lifecycle;
}

/** What is used of Node's `process`. */
export interface HostProcess {
  readonly env: Environment;
  readonly stderr: { write(text: string): unknown };
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  exit(code: number): void;
}

const EXIT_FAILED = 1;
/** A wrong configuration, by the convention of sysexits.h. */
const EXIT_CONFIG = 78;
/** Ended by the same signal a second time, by the convention of shells. */
const EXIT_INTERRUPTED = 130;

/**
 * The life of a process, the same for each: reads its configuration, starts, and stops on SIGTERM and SIGINT (exit 0; the same one a second
 * time ends it at once). A wrong configuration is told on standard error in plain words (exit 78); any other failure is logged (exit 1).
 */
export async function runProcess<Config extends { readonly logLevel: LogLevel }>(
  host: HostProcess,
  { service, readConfig, start }: ProcessDefinition<Config>,
): Promise<void> {
  const config = configOf(host, readConfig);
  if (config === null) return;
  const logger = createLogger({ service, level: config.logLevel });
  const lifecycle = createLifecycle(logger);
  stopOnSignals(host, lifecycle);
  try {
    await start(config, { logger, lifecycle });
  } catch (error) {
    if (lifecycle.signal.aborted) {
      // Who stopped it ends it: what was under way could not but fail.
      logger.warn({ err: error }, 'broken off by the stop');
      return;
    }
    if (error instanceof ConfigError) host.stderr.write(`${error.message}\n`);
    else logger.error({ err: error }, 'the process failed');
    await lifecycle.stop('the process failed');
    host.exit(error instanceof ConfigError ? EXIT_CONFIG : EXIT_FAILED);
  }
}

function configOf<Config>(host: HostProcess, read: (env: Environment) => Config): Config | null {
  try {
    return read(host.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    host.stderr.write(`${error.message}\n`);
    host.exit(EXIT_CONFIG);
    return null;
  }
}

function stopOnSignals(host: HostProcess, lifecycle: Lifecycle): void {
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    let isAgain = false;
    host.on(name, () => {
      // Another signal is not more haste: a terminal's SIGINT and a parent's SIGTERM may both come of one wish to stop.
      if (isAgain) host.exit(EXIT_INTERRUPTED);
      else void lifecycle.stop(name).then(() => host.exit(0));
      isAgain = true;
    });
  }
}
