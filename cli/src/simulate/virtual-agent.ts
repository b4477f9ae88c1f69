import { type AdapterWriter, type AgentEvent, createClientAgent, type PlatformDoor } from '@flexlora/client-agent';
import type { ChannelOptions, Clock, Logger } from '@flexlora/runtime';
import type { AgentRecorder } from './fleet-tally.ts';
import type { Noise } from './noise.ts';
import { orAborted } from './or-aborted.ts';
import { createTraceTrainer, type SimulatedModel } from './trace-trainer.ts';
import type { Traces } from './traces.ts';
import { type VirtualDisk, WORK_DIRECTORY } from './virtual-disk.ts';

/** The real agent on a device that is not there: its hardware, its line and its habits are those of a trace. */
export interface VirtualAgent {
  /** Takes part until the run ends or the signal is aborted, through every time that its device goes away. */
  run(signal: AbortSignal): Promise<void>;
}

export interface VirtualAgentDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly traces: Traces;
  readonly noise: Noise;
  readonly recorder: AgentRecorder;
  /** What the device keeps while its process is not there. */
  readonly disk: VirtualDisk;
  readonly door: PlatformDoor;
  /** Until then the fleet gathers, and no device goes away. */
  readonly begun: Promise<void>;
}

export interface VirtualAgentOptions {
  readonly runId: string;
  readonly index: number;
  readonly model: SimulatedModel;
  /** Seconds of the traces in a second. */
  readonly speed: number;
  readonly channel: ChannelOptions;
}

/**
 * A trace never reads what its training starts from. Real devices make that each on a processor of its own; thousands of them on the one
 * that measures would show in every latency.
 */
const writeNoAdapter: AdapterWriter = async (disk, _prefixFile, _download, _plan, directory) => {
  await disk.makeDirectory(directory);
  return null;
};

type Departure = 'away' | 'vanished' | 'killed';

export function createVirtualAgent(deps: VirtualAgentDeps, options: VirtualAgentOptions): VirtualAgent {
  const { clock, traces, recorder } = deps;
  const { index, speed } = options;
  const device = traces.device(index);
  const realMs = (traceSeconds: number): number => (traceSeconds * 1_000) / speed;
  let round = 0;
  /** The last round whose fate struck. */
  let struck = -1;
  let leave: (why: Departure) => void = () => {};

  const strike = (why: 'vanished' | 'killed'): void => {
    struck = round;
    leave(why);
  };
  const trainer = createTraceTrainer(
    { ...deps, write: deps.disk.writeUpdate },
    {
      ...options,
      device,
      round: () => round,
      isStruck: (of) => struck === of,
      vanish: () => strike('vanished'),
    },
  );
  const onEvent = (event: AgentEvent): void => {
    if (event.kind === 'assigned') round = event.round;
    recorder.hear(event);
    if (event.kind === 'failed') struck = event.round;
    if (event.kind === 'accepted') void deps.disk.forgetAdapters();
    // Once the server knows of the upload, so that there is something to resume.
    if (event.kind === 'uploading' && struck !== event.round && traces.fate(index, event.round) === 'killed')
      strike('killed');
  };

  async function run(signal: AbortSignal): Promise<void> {
    for (let nth = 0; ; nth += 1) {
      const { presentSeconds, awaySeconds } = traces.stay(index, nth);
      const departure = await takePart(realMs(presentSeconds), signal);
      if (departure === null) return;
      deps.disk.crash();
      recorder.leave(departure);
      await clock.sleep(realMs(departure === 'away' ? awaySeconds : traces.restartSeconds(index, round)), signal);
      recorder.comeBack();
    }
  }

  /** Null when the run has ended. */
  async function takePart(presentMs: number, signal: AbortSignal): Promise<Departure | null> {
    const gone = new AbortController();
    const stay = new AbortController();
    let departure: Departure = 'away';
    leave = (why) => {
      departure = why;
      gone.abort(new Error(`the device is ${why}`));
    };
    const until = AbortSignal.any([signal, gone.signal]);
    const leaving = goAway(presentMs, AbortSignal.any([until, stay.signal])).catch(() => {});
    try {
      const agent = createClientAgent(
        {
          door: deps.door,
          trainer,
          clock,
          random: deps.random,
          logger: deps.logger,
          disk: deps.disk.disk,
          writeAdapter: writeNoAdapter,
        },
        {
          runId: options.runId,
          agentId: device.agentId,
          control: options.channel,
          workDirectory: WORK_DIRECTORY,
          data: null,
          memoryBytesMax: device.memoryBytesMax,
          uplinkBytesPerSecond: device.uplinkBytesPerSecond * speed,
          samples: device.samples,
          onEvent,
        },
      );
      const outcome = await agent.run(until);
      signal.throwIfAborted();
      return outcome === 'stopped' ? departure : null;
    } finally {
      stay.abort();
      await leaving;
    }
  }

  async function goAway(afterMs: number, signal: AbortSignal): Promise<void> {
    await orAborted(deps.begun, signal);
    await clock.sleep(afterMs, signal);
    leave('away');
  }

  return { run };
}
