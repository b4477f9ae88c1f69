import { randomBytes } from 'node:crypto';
import type { Task } from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { callUnary } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import type { Station } from './rig.ts';
import { sha256 } from './update-file.ts';

const F32_BYTES = 4;
const deadline = { deadlineMs: 60_000 };

/** Waits for a task of any run. */
export async function claim(station: Station, aggregatorId: string, signal?: AbortSignal): Promise<Task> {
  for (;;) {
    const request = { aggregatorId, waitMsMax: 30_000, claimId: randomBytes(4).toString('hex') };
    const options = signal === undefined ? deadline : { ...deadline, signal };
    const { answer } = await callUnary(station.aggregation, station.aggregation.claimTask, request, options);
    if (answer?.$case === 'task') return answer.value;
  }
}

/** Hands in an object of the right layout, in which component j is filled with the byte j + 1. */
export async function complete(
  station: Station,
  objectStore: ObjectStore,
  aggregatorId: string,
  task: Task,
): Promise<void> {
  const modules = task.modules.map((module) => ({
    ...module,
    rank: Math.min(task.rank, module.outFeatures, module.inFeatures),
  }));
  const components: Buffer[] = [];
  for (let j = 0; j < Math.max(...modules.map(({ rank }) => rank)); j += 1) {
    const sides = modules.filter(({ rank }) => rank > j).map(({ outFeatures, inFeatures }) => outFeatures + inFeatures);
    components.push(Buffer.alloc(sides.reduce((sum, side) => sum + side, 0) * F32_BYTES, j + 1));
  }
  const object = Buffer.concat(components);
  await objectStore.put(task.objectName, object);
  const request = {
    aggregatorId,
    task: { runId: task.runId, round: task.round, taskId: task.taskId, attempt: task.attempt },
    bytes: object.byteLength,
    sha256: sha256(object),
    componentSha256: components.map(sha256),
    modules: modules.map(({ name, rank }) => ({
      name,
      rank,
      spectrum: Array.from({ length: rank }, (_, j) => rank - j),
      rankSum: rank,
      method: 'stacked',
      energyKept: 1,
      energyTotal: 1,
      energyTotalError: 0,
      residual: 0,
      blocks: 0,
      converged: true,
      fallbackFrom: '',
      tolerance: task.tolerance,
      excess: 0,
      scratchBytes: 0,
      seconds: 0,
    })),
  };
  await callUnary(station.aggregation, station.aggregation.completeTask, request, deadline);
}

/** Works until the signal: as an aggregator does. */
export async function work(
  station: Station,
  objectStore: ObjectStore,
  aggregatorId: string,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await complete(station, objectStore, aggregatorId, await claim(station, aggregatorId, signal));
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
