import { type ChannelOptions, type Clock, type Logger, retry, type Transport } from '@flexlora/runtime';
import { type AdapterWriter, writePeftDirectory } from './adapter/write-peft-directory.ts';
import type { AgentEvent, RunOutcome, Tell } from './agent-event.ts';
import { createAgentLog } from './agent-log.ts';
import { runAgentLoop } from './agent-loop.ts';
import type { OnStop } from './carry-out.ts';
import type { AgentDisk } from './disk/agent-disk.ts';
import { isDiskFault } from './disk/disk-fault.ts';
import { createNodeDisk } from './disk/node-disk.ts';
import { AGENT_LIMITS, type AgentLimits } from './limits.ts';
import { createPatientDoor } from './patient-door.ts';
import { createPlatformDoor, type PlatformDoor } from './platform-door.ts';
import { createProgressReporter } from './progress-reporter.ts';
import type { Trainer } from './trainer.ts';
import { openWorkDirectory } from './work-directory.ts';

/** One participant of one run. */
export interface ClientAgent {
  /**
   * Takes part until the run ends or `signal` is aborted. Outages, refusals, a full disk and a failing trainer do not end it. Call it once.
   *
   * @throws when the work directory cannot be used, or for a bug.
   */
  run(signal: AbortSignal): Promise<AgentOutcome>;
  /** Null when it takes part, else one sentence that says why not. */
  whyNotReady(): string | null;
}

/** How the run ended, or `stopped`: the agent was told to stop before. */
export type AgentOutcome = RunOutcome | 'stopped';

export interface ClientAgentDeps {
  /** Whoever made it closes it. */
  readonly trainer: Trainer;
  readonly clock: Clock;
  /** Uniform in [0, 1): jitter of retries. */
  readonly random: () => number;
  readonly logger: Logger;
  /** The files of this machine when absent; then the trainer must read and write there as well. */
  readonly disk?: AgentDisk;
  /** Makes a PEFT directory when absent. */
  readonly writeAdapter?: AdapterWriter;
  /** gRPC over sockets when absent. */
  readonly transport?: Transport;
  /** A door that agents of one process share; whoever made it closes it. One of its own when absent. */
  readonly door?: PlatformDoor;
}

export interface ClientAgentOptions {
  readonly runId: string;
  readonly agentId: string;
  readonly control: ChannelOptions;
  /** Where bytes go; the control target when absent. */
  readonly transfer?: ChannelOptions;
  /** Agents share it: each works in a directory of its own, named after run and agent. */
  readonly workDirectory: string;
  /** Passed to the trainer as it is. */
  readonly data: unknown;
  /** Memory that training may use. */
  readonly memoryBytesMax: number;
  readonly uplinkBytesPerSecond: number;
  /** Training samples, as far as they are known before the first training tells; 1 when absent. */
  readonly samples?: number;
  /** Multiplies the step times that are reported: 4 plays a device a quarter as fast. Training itself is not slowed down. 1 when absent. */
  readonly stepSecondsFactor?: number;
  /** What becomes of an assignment under way when the agent is told to stop; `return`, which keeps it, when absent. */
  readonly onStop?: OnStop;
  /** Hears every step; what it throws ends the agent. */
  readonly onEvent?: (event: AgentEvent) => void;
  readonly limits?: Partial<AgentLimits>;
}

export function createClientAgent(deps: ClientAgentDeps, options: ClientAgentOptions): ClientAgent {
  const { runId, agentId } = options;
  const logger = deps.logger.child({ run: runId, agent: agentId });
  const limits: AgentLimits = { ...AGENT_LIMITS, ...options.limits };
  const log = createAgentLog(logger, deps.clock);
  let notReady: string | null = 'the agent has not enrolled yet';

  const tell: Tell = (event) => {
    notReady = readinessAfter(event, notReady);
    log(event);
    options.onEvent?.(event);
  };

  async function run(signal: AbortSignal): Promise<AgentOutcome> {
    const disk = deps.disk ?? createNodeDisk();
    const { trainer, writeAdapter = writePeftDirectory } = deps;
    const retryDeps = { clock: deps.clock, random: deps.random };
    const platform = deps.door ?? createPlatformDoor(options, deps);
    const door = createPatientDoor(platform, limits.retry, { ...retryDeps, tell });
    const progress = createProgressReporter({ door, clock: deps.clock }, { runId, agentId });
    const where = { path: options.workDirectory, runId, agentId };
    try {
      const work = await retry(() => openWorkDirectory(where, { disk, logger }), limits.failedRetry, retryDeps, {
        signal,
        isWorthRetrying: isDiskFault,
        onRetry: (error, _attempt, waitMs) =>
          tell({ kind: 'retrying', what: 'open work directory', message: String(error), waitMs: Math.round(waitMs) }),
      });
      return await runAgentLoop(
        { ...retryDeps, door, disk, work, trainer, writeAdapter, progress, logger, tell },
        { samples: 1, stepSecondsFactor: 1, onStop: 'return', ...options, limits },
        signal,
      );
    } catch (error) {
      if (signal.aborted) return 'stopped';
      throw error;
    } finally {
      if (deps.door === undefined) platform.close();
    }
  }

  return { run, whyNotReady: () => notReady };
}

function readinessAfter(event: AgentEvent, before: string | null): string | null {
  switch (event.kind) {
    case 'retrying':
      return `${event.what} is tried again: ${event.message}`;
    case 'refused':
      return event.round === null ? `refused (${event.reason}): ${event.message}` : before;
    case 'enrolled':
    case 'waiting':
    case 'assigned':
    case 'downloading':
    case 'training':
    case 'trained':
    case 'quantised':
    case 'uploading':
    case 'accepted':
      return null;
    case 'ended':
      return `the run has ended: ${event.reason}`;
    case 'failed':
    case 'declined':
      return before;
  }
}
