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

/** Runs one agent a participant until the run ends or the signal is aborted. All share one trainer, whose threads are a pool. */
export async function runLocalAgents(deps: LocalAgentsDeps, options: LocalAgentsOptions): Promise<void> {
  await Promise.all(
    options.participants.map(({ agentId, language, memoryBytesMax }) => {
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
      return agent.run(options.signal);
    }),
  );
}

/** Loopback carries more; what counts is that the deadline does not decide the ranks of the demonstration. */
const UPLINK_BYTES_PER_SECOND = 50e6;
