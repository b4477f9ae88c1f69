import type { Logger } from './logger.ts';

/** Starts and stops a process in order. */
export interface Lifecycle {
  /** Aborted when stopping begins: loops end on it. */
  readonly signal: AbortSignal;
  /** Registers what must be done to stop; the last registered is done first. Each step has its own time. */
  onStop(name: string, withinMs: number, step: () => Promise<void> | void): void;
  /** Stops everything once; later calls wait for the same end. */
  stop(reason: string): Promise<void>;
}

interface StopStep {
  readonly name: string;
  readonly withinMs: number;
  readonly step: () => Promise<void> | void;
}

export function createLifecycle(logger: Logger): Lifecycle {
  const controller = new AbortController();
  const steps: StopStep[] = [];
  let stopped: Promise<void> | null = null;

  const run = async (reason: string): Promise<void> => {
    logger.info({ reason }, 'stopping');
    controller.abort(new Error(`stopping: ${reason}`));
    for (const { name, withinMs, step } of steps.reverse()) await runStep(logger, name, withinMs, step);
    logger.info({}, 'stopped');
  };

  return {
    signal: controller.signal,
    onStop: (name, withinMs, step) => {
      steps.push({ name, withinMs, step });
    },
    stop: (reason) => {
      stopped ??= run(reason);
      return stopped;
    },
  };
}

async function runStep(
  logger: Logger,
  name: string,
  withinMs: number,
  step: () => Promise<void> | void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), withinMs);
  });
  try {
    const result = await Promise.race([Promise.resolve(step()).then(() => 'done' as const), late]);
    if (result === 'late')
      logger.warn({ step: name, withinMs }, 'a step of stopping took too long and was left behind');
  } catch (error) {
    logger.error({ step: name, err: error }, 'a step of stopping failed');
  } finally {
    clearTimeout(timer);
  }
}
