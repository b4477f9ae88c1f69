import { createHash, randomFillSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Assignment } from '@flexlora/contracts/agent/v1/agent_service';
import { LatePolicy, RankPolicy, type RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import type { Sha256Hex } from '@flexlora/core';
import { silentLogger } from '@flexlora/runtime';
import { createNodeDisk } from '../../../services/client-agent/src/disk/node-disk.ts';
import { openWorkDirectory, UPDATE_FILE } from '../../../services/client-agent/src/work-directory.ts';
import { toySpec } from '../../integration/orchestrator/rig.ts';
import { updateFile } from '../../integration/orchestrator/update-file.ts';

const SIDE = 1 << 16;
const RANK = 16;
/** Of an update: B and A in F32. */
export const MODULE_BYTES = 2 * SIDE * RANK * 4;
const SAMPLES = 10;
const F32_BYTES = 4;

/** A run of one round and one agent, whose update has `MODULE_BYTES` for each module, and a header. */
export const largeSpec = (runId: string, modules: number): RunSpec =>
  toySpec({
    runId,
    rounds: 1,
    modules: Array.from({ length: modules }, (_, layer) => ({
      name: `layers.${layer}.up_proj`,
      outFeatures: SIDE,
      inFeatures: SIDE,
      rankGroup: 'feed-forward',
    })),
    rank: { min: RANK, max: RANK, tiers: [RANK], policy: RankPolicy.UNIFORM },
    cohort: { goal: 1, minimum: 1, overSelection: 1, late: LatePolicy.REFUSE },
  });

export interface KeptUpdate {
  readonly bytes: number;
  readonly sha256: string;
  readonly samples: number;
}

/** An agent's work directory as it is after training: the update is on disk, and nothing of it was sent. */
export async function keepLargeUpdate(
  spec: RunSpec,
  { round, handout, adapterVersion, ranks, seed }: Assignment,
  where: { readonly path: string; readonly agentId: string },
): Promise<KeptUpdate> {
  const file = randomUpdate(spec, ranks);
  const kept = {
    bytes: file.byteLength,
    sha256: createHash('sha256').update(file).digest('hex') as Sha256Hex,
    samples: SAMPLES,
  };
  const disk = createNodeDisk();
  const work = await openWorkDirectory({ ...where, runId: spec.runId }, { disk, logger: silentLogger });
  const trained = await work.trainingPath(round);
  await disk.makeDirectory(trained);
  await writeFile(join(trained, UPDATE_FILE), file);
  const madeFor = { adapterVersion, ranks, seed };
  await work.keepUpdate({ version: 1, round, handout, madeFor, ...kept, loss: null, upload: null });
  return kept;
}

/** No two parts of it are the same. Every number is below 2: the highest bit of its exponent is 0. */
function randomUpdate(spec: RunSpec, ranks: Readonly<Record<string, number>>): Buffer {
  const file = updateFile(spec, ranks, 0);
  const dataAt = 8 + Number(file.readBigUInt64LE(0));
  randomFillSync(file, dataAt);
  for (let at = dataAt + F32_BYTES - 1; at < file.byteLength; at += F32_BYTES) file[at] = (file[at] ?? 0) & 0xbf;
  return file;
}
