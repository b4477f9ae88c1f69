import { createHash } from 'node:crypto';
import type { DocumentRef, Task } from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { Strategy } from '@flexlora/contracts/run/v1/run_spec';
import {
  type AdapterManifest,
  type AgentId,
  adapterObjectName,
  canonicalJson,
  ledgerObjectName,
  type ModuleName,
  type ModuleSpec,
  manifestObjectName,
  type RoundLedger,
  type RunId,
  type Sha256Hex,
  type StrategyName,
  type TaskId,
  type TaskResult,
  TOLERANCE_STANDARD,
  updateObjectName,
} from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { encodeUpdate, type TestFactors } from './update-file.ts';

export const RUN_ID = 'run-1' as RunId;
export const TASK_ID = 'attention-0' as TaskId;
export const CLAIM_ID = '0a1b2c3d';
export const ALPHA = 16;

/** Two modules of one group that differ in both sides. */
export const MODULES: readonly ModuleSpec[] = [
  { name: 'model.layers.0.self_attn.q_proj' as ModuleName, out: 12, in: 9, rankGroup: 'attention' },
  { name: 'model.layers.0.self_attn.v_proj' as ModuleName, out: 7, in: 10, rankGroup: 'attention' },
];

export interface TestClient {
  readonly agent: string;
  readonly samples: number;
  readonly rank: number;
  /** One for each module. */
  readonly factors: readonly TestFactors[];
  /** As they are where absent. */
  readonly encode?: (factors: readonly TestFactors[]) => Uint8Array;
}

export interface TestRound {
  readonly round: number;
  readonly modules?: readonly ModuleSpec[];
  readonly rank?: number;
  readonly strategy?: StrategyName;
  readonly clients: readonly TestClient[];
  readonly previousManifest?: DocumentRef;
  readonly leaseMs?: number;
  /** The standard one where absent. */
  readonly tolerance?: number;
}

const STRATEGY_VALUES: Readonly<Record<StrategyName, Strategy>> = {
  flexlora: Strategy.FLEXLORA,
  'flexlora-residual': Strategy.FLEXLORA_RESIDUAL,
  fedavg: Strategy.FEDAVG,
  hetlora: Strategy.HETLORA,
};

export const sha256 = (bytes: Uint8Array): Sha256Hex => createHash('sha256').update(bytes).digest('hex') as Sha256Hex;

/** Stores a round's updates and its ledger, and gives the task as an orchestrator would. */
export async function storeRound(store: ObjectStore, round: TestRound, attempt = 1): Promise<Task> {
  const updates: RoundLedger['updates'][number][] = [];
  for (const { agent, samples, rank, factors, encode = encodeUpdate } of round.clients) {
    const agentId = agent as AgentId;
    const objectName = updateObjectName(RUN_ID, round.round, agentId, '1');
    const bytes = encode(factors);
    await store.put(objectName, bytes);
    const [ranks, alpha, scaling] = [{ attention: rank }, ALPHA, 'alphaOverRank' as const];
    updates.push({
      agentId,
      objectName,
      bytes: bytes.byteLength,
      digest: sha256(bytes),
      samples,
      ranks,
      alpha,
      scaling,
      loss: null,
    });
  }
  const samples = updates.reduce((sum, update) => sum + update.samples, 0);
  const ledger: RoundLedger = { version: 1, runId: RUN_ID, round: round.round, samples, updates };
  const ledgerRef = await storeDocument(store, ledgerObjectName(RUN_ID, round.round), ledger);
  return {
    runId: RUN_ID,
    round: round.round,
    taskId: TASK_ID,
    attempt,
    leaseMs: round.leaseMs ?? 60_000,
    modules: (round.modules ?? MODULES).map(({ name, out, in: columns, rankGroup }) => ({
      name,
      outFeatures: out,
      inFeatures: columns,
      rankGroup,
    })),
    rank: round.rank ?? 8,
    strategy: STRATEGY_VALUES[round.strategy ?? 'flexlora'],
    tolerance: round.tolerance ?? TOLERANCE_STANDARD,
    ledger: ledgerRef,
    previousManifest: round.previousManifest,
    completionSeed: 7,
    objectName: adapterObjectName(
      RUN_ID,
      round.round,
      TASK_ID,
      { attempt, claimId: CLAIM_ID },
      ledgerRef.sha256 as Sha256Hex,
    ),
  };
}

/** Publishes a round of one task. */
export function storeManifest(store: ObjectStore, task: Task, result: TaskResult): Promise<DocumentRef> {
  const { objectName, bytes, digest, componentDigests, modules } = result;
  const manifest: AdapterManifest = {
    version: 1,
    runId: RUN_ID,
    round: task.round,
    baseModelDigest: digest,
    ledger: { objectName: task.ledger!.objectName, digest: task.ledger!.sha256 as Sha256Hex },
    updates: [],
    objects: [
      {
        taskId: TASK_ID,
        objectName,
        bytes,
        digest,
        componentDigests,
        rankGroup: 'attention',
        modules: modules.map(({ seconds: _seconds, ...module }, i) => ({
          ...module,
          out: task.modules[i]!.outFeatures,
          in: task.modules[i]!.inFeatures,
        })),
      },
    ],
  };
  return storeDocument(store, manifestObjectName(RUN_ID, task.round), manifest);
}

async function storeDocument(store: ObjectStore, objectName: string, value: unknown): Promise<DocumentRef> {
  const bytes = Buffer.from(canonicalJson(value));
  await store.put(objectName, bytes);
  return { objectName, sha256: sha256(bytes) };
}
