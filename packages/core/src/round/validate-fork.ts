import { type Refusal, refuse } from '../refusal.ts';
import { canonicalJson } from './documents/canonical-json.ts';
import type { RunSpec } from './run-spec.ts';

/** Whether a run can begin with an adapter of another: null, or a refusal that names what is not the same. Its policies may differ. */
export function validateFork(spec: RunSpec, from: RunSpec): Refusal | null {
  if (spec.baseModel.digest !== from.baseModel.digest) {
    return refuse(
      'baseMismatch',
      `base_model.digest is ${spec.baseModel.digest}; allowed: ${from.baseModel.digest}, that of run ${from.runId}, whose adapter fits no other model`,
    );
  }
  if (spec.rank.max !== from.rank.max) {
    return refuse(
      'badSpec',
      `rank.max is ${spec.rank.max}; allowed: ${from.rank.max}, the components of the adapters of run ${from.runId}: choose lower tiers for lower ranks`,
    );
  }
  if (canonicalJson(spec.modules) === canonicalJson(from.modules)) return null;
  const at = spec.modules.findIndex((module, i) => canonicalJson(module) !== canonicalJson(from.modules[i] ?? null));
  return refuse(
    'badSpec',
    `${at < 0 ? `modules is a list of ${spec.modules.length}` : `modules[${at}] is ${canonicalJson(spec.modules[at])}`}; allowed: the ${from.modules.length} modules of run ${from.runId}, in their order and groups`,
  );
}
