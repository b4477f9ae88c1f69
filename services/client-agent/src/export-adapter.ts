import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { Fault, isRefusal } from '@flexlora/core';
import type { ChannelOptions, Clock, Logger, Transport } from '@flexlora/runtime';
import { writePeftDirectory } from './adapter/write-peft-directory.ts';
import { createNodeDisk } from './disk/node-disk.ts';
import { AGENT_LIMITS } from './limits.ts';
import { createPatientDoor } from './patient-door.ts';
import { createPlatformDoor } from './platform-door.ts';
import { fetchAdapter } from './stages/fetch-adapter.ts';
import { assignmentOf, runPlanOf } from './translate.ts';
import { openWorkDirectory } from './work-directory.ts';

export interface ExportAdapterDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1): jitter of retries. */
  readonly random: () => number;
  /** gRPC over sockets when absent. */
  readonly transport?: Transport;
}

export interface ExportAdapterRequest {
  readonly transfer: ChannelOptions;
  readonly spec: RunSpec;
  /** The round that published it. */
  readonly version: number;
  /** By rank group. */
  readonly ranks: Readonly<Record<string, number>>;
  /** The PEFT directory to write; must not exist, its parent must. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

/**
 * Downloads a published adapter at a rank and writes it as a PEFT directory, by the way that an agent fetches what it starts from.
 *
 * @throws {Fault} when it cannot be had: the message says why.
 */
export async function exportAdapter(deps: ExportAdapterDeps, request: ExportAdapterRequest): Promise<void> {
  const { spec, transfer, directory, signal, version, ranks } = request;
  const disk = createNodeDisk();
  const scratch = `${directory}.download`;
  const work = await openWorkDirectory({ path: scratch, runId: spec.runId, agentId: 'export' }, { ...deps, disk });
  const platform = createPlatformDoor({ control: transfer }, deps);
  const door = createPatientDoor(platform, AGENT_LIMITS.retry, { ...deps, tell: () => {} });
  try {
    const plan = runPlanOf(spec);
    if (isRefusal(plan)) throw new Fault(plan.message);
    const assignment = assignmentOf(
      {
        round: version,
        adapterVersion: version,
        ranks: { ...ranks },
        rankReason: '',
        seed: 0,
        deadlineAtMs: 0,
        deadlineInMs: 0,
        handout: 0,
      },
      plan,
    );
    if (isRefusal(assignment)) throw new Fault(assignment.message);
    const fetched = await fetchAdapter(
      { door, disk, work, clock: deps.clock, writeAdapter: writePeftDirectory },
      { runId: spec.runId, plan, assignment, idleMs: AGENT_LIMITS.transferIdleMs, onProgress: () => {}, signal },
    );
    if (isRefusal(fetched)) throw new Fault(`adapter ${version} cannot be had: ${fetched.message}`);
    await disk.rename(fetched.path, directory);
  } finally {
    platform.close();
    await disk.remove(scratch);
  }
}
