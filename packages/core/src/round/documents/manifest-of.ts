import { planAggregation } from '../../aggregation/plan-aggregation.ts';
import type { RoundState, TaskResult } from '../round-state.ts';
import type { AdapterManifest, AdapterObject, ManifestUpdate } from './adapter-manifest.ts';
import { acceptedUpdates, carriedUpdates } from './ledger-of.ts';
import type { LedgerUpdate } from './round-ledger.ts';

/**
 * The manifest of the open round, while it is being published: before that there is none to make, and asking for one is a bug. Objects stand
 * in the order of the plan. Times of attempts and of the kernel stay out of it; its digests are filled in by `documentOf`.
 */
export function manifestOf(state: RoundState): AdapterManifest {
  const { phase, spec } = state;
  if (phase.kind !== 'aggregating' || phase.stage.kind !== 'publishing') {
    throw new Error(`run ${spec.runId} has no manifest to publish while it is ${phase.kind}`);
  }
  return {
    version: 1,
    runId: spec.runId,
    round: state.round,
    baseModelDigest: spec.baseModel.digest,
    ledger: phase.stage.ledger,
    updates: acceptedUpdates(state).map(receiptOf),
    objects: planAggregation(spec).map(({ taskId, rankGroup }): AdapterObject => {
      const task = state.tasks.get(taskId);
      if (task?.progress.kind !== 'done')
        throw new Error(`task ${taskId} of round ${state.round} is not done while it is published`);
      const { objectName, bytes, digest, componentDigests, modules } = task.progress.result;
      return {
        taskId,
        objectName,
        bytes,
        digest,
        componentDigests,
        rankGroup,
        modules: adapterModules(state, modules),
      };
    }),
    ...carriedUpdates(state),
  };
}

const receiptOf = ({ agentId, digest, samples, ranks, trainedIn }: LedgerUpdate): ManifestUpdate => ({
  agentId,
  digest,
  samples,
  ranks,
  ...(trainedIn === undefined ? {} : { trainedIn }),
});

function adapterModules({ spec }: RoundState, results: TaskResult['modules']): AdapterObject['modules'] {
  const byName = new Map(spec.modules.map((module) => [module.name, module]));
  return results.map(({ seconds: _, ...result }) => {
    const { out, in: columns } = byName.get(result.name)!;
    return { ...result, out, in: columns };
  });
}
