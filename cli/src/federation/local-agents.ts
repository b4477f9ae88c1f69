import { createClientAgent, type Trainer } from '@flexlora/client-agent';
import type { ChannelOptions, Clock, Logger } from '@flexlora/runtime';
import type { Participant } from './participants.ts';

export interface LocalAgentsDeps {
  readonly trainer: Trainer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

export interface LocalAgentsOptions {
  readonly runId: string;
  readonly orchestrator: ChannelOptions;
  readonly participants: readonly Participant[];
  readonly directory: string;
  readonly signal: AbortSignal;
}

/**
 * Runs one agent a participant until the run ends or the signal is aborted. All share one trainer, whose threads are a pool. One that fails
 * stops the others; its failure is thrown when none runs any more.
 */
export async function runLocalAgents(deps: LocalAgentsDeps, options: LocalAgentsOptions): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const endings = await Promise.allSettled(
    options.participants.map(async ({ agentId, language, memoryBytesMax }) => {
      const agent = createClientAgent(
        { ...deps, logger: deps.logger.child({ service: 'client-agent', agent: agentId }) },
        {
          agentId,
          runId: options.runId,
          control: options.orchestrator,
          workDirectory: options.directory,
          memoryBytesMax,
          uplinkBytesPerSecond: UPLINK_BYTES_PER_SECOND,
          data: { corpus: 'typescript-diagnostics', languages: [language], split: 'train' },
        },
      );
      try {
        await agent.run(signal);
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    }),
  );
  for (const ending of endings) if (ending.status === 'rejected') throw ending.reason;
}

/** Loopback carries more; what counts is that the deadline does not decide the ranks of the demonstration. */
const UPLINK_BYTES_PER_SECOND = 50e6;
