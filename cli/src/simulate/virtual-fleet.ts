import { type ChannelOptions, type Clock, silentLogger } from '@flexlora/runtime';
import { runFleet } from './fleet.ts';
import type { FleetRecorder } from './fleet-tally.ts';
import { RANK_TIERS } from './limits.ts';
import { createNoise, createNoisePool } from './noise.ts';
import type { SimulateOptions } from './options.ts';
import { BASE_DIGEST, simulatedRunSpec } from './simulated-run.ts';
import { createTraces } from './traces.ts';
import { createVirtualAgent } from './virtual-agent.ts';
import { createVirtualDisk } from './virtual-disk.ts';
import type { VirtualDoors } from './virtual-doors.ts';

/** What the virtual agents of a part of a fleet are. */
export interface FleetPart {
  readonly options: Pick<SimulateOptions, 'agents' | 'cohort' | 'rounds' | 'seed' | 'updateBytes' | 'speed'>;
  readonly runId: string;
  readonly platform: ChannelOptions;
  /** Of the parts, from 0; they take the agents of the fleet in turn. */
  readonly part: number;
  readonly parts: number;
  /** Of `createFleetNoise`. */
  readonly noise: Float32Array;
}

/** Noise enough for the updates of every device, shared by all parts. */
export function createFleetNoise(options: FleetPart['options']): Float32Array {
  const side = Math.max(...simulatedRunSpec('', options).modules.map(({ outFeatures }) => outFeatures));
  return createNoisePool(options.seed, side * (RANK_TIERS.at(-1) ?? 1));
}

/** Runs a part of the fleet until the run has ended or the signal is aborted. What an agent does follows from the seed and its index alone. */
export function runVirtualFleet(
  deps: {
    readonly clock: Clock;
    readonly random: () => number;
    readonly recorder: FleetRecorder;
    readonly doors: VirtualDoors;
  },
  { options, runId, platform, part, parts, noise: pool }: FleetPart,
  { begun, signal }: { readonly begun: Promise<void>; readonly signal: AbortSignal },
): Promise<void> {
  const { modules } = simulatedRunSpec(runId, options);
  const model = {
    baseDigest: BASE_DIGEST,
    modules: modules.map(({ name, outFeatures, inFeatures }) => ({ name, out: outFeatures, in: inFeatures })),
  };
  const traces = createTraces(options.seed);
  const noise = createNoise(pool);
  return runFleet(deps, {
    agents: indexesOf(options.agents, part, parts),
    signal,
    create: (index, nth) => {
      const { agentId, uplinkBytesPerSecond } = traces.device(index);
      return createVirtualAgent(
        {
          clock: deps.clock,
          random: deps.random,
          logger: silentLogger,
          traces,
          noise,
          recorder: deps.recorder.agent(agentId),
          disk: createVirtualDisk(deps, {
            runId,
            agentId,
            uplinkBytesPerSecond: uplinkBytesPerSecond * options.speed,
          }),
          door: deps.doors.of(nth),
          begun,
        },
        { runId, index, model, speed: options.speed, channel: platform },
      );
    },
  });
}

/** The agents of one part: every part has fast and slow ones, early and late ones. */
export function indexesOf(agents: number, part: number, parts: number): readonly number[] {
  return Array.from({ length: Math.ceil((agents - part) / parts) }, (_, nth) => part + nth * parts);
}
