import { MODULE_SIDE_MAX, type ModuleName, RANK_MAX, type Refusal, RUN_MODULES_MAX, refuse } from '@flexlora/core';
import type { AdapterDirectory } from './adapter-directory.ts';

/** A module that all adapters have at one shape. */
export interface CommonModule {
  readonly name: ModuleName;
  readonly out: number;
  readonly in: number;
}

/**
 * The modules of the sum, in the order of their names. An adapter that lacks a module which another has is refused: a module that was not
 * trained is a vote for no change in a federated round, but in a sum of adapters it would silently shrink everybody else's.
 */
export function commonModules(adapters: readonly AdapterDirectory[]): readonly CommonModule[] | Refusal {
  const [first] = adapters;
  if (first === undefined) return [];
  for (const adapter of adapters) {
    const problem = checkAgainst(first, adapter) ?? checkLimits(adapter);
    if (problem !== null) return problem;
  }
  return [...first.modules.values()].map(({ name, out, in: columns }) => ({ name, out, in: columns }));
}

function checkAgainst(first: AdapterDirectory, other: AdapterDirectory): Refusal | null {
  for (const [mine, theirs] of [
    [first, other],
    [other, first],
  ] as const) {
    const missing = [...mine.modules.keys()].find((name) => !theirs.modules.has(name));
    if (missing === undefined) continue;
    return refuse(
      'badTensor',
      `${theirs.directory}: has no module ${missing}, which ${mine.directory} has; allowed: the same modules in all adapters: train with the same target_modules`,
    );
  }
  for (const { name, out, in: columns } of other.modules.values()) {
    const want = first.modules.get(name)!;
    if (want.out === out && want.in === columns) continue;
    return refuse(
      'badTensor',
      `${other.directory}: ${name} is ${out} × ${columns}, and ${want.out} × ${want.in} in ${first.directory}; allowed: one shape: train on the same base model`,
    );
  }
  if (other.config.fanInFanOut === first.config.fanInFanOut) return null;
  return refuse(
    'badSpec',
    `${other.directory}: fan_in_fan_out is ${other.config.fanInFanOut}, and ${first.config.fanInFanOut} in ${first.directory}; allowed: one value: train on the same base model`,
  );
}

function checkLimits({ directory, modules }: AdapterDirectory): Refusal | null {
  if (modules.size > RUN_MODULES_MAX) {
    return refuse('tooLarge', `${directory}: has ${modules.size} modules; allowed: ${RUN_MODULES_MAX}`);
  }
  for (const { name, out, in: columns, rank } of modules.values()) {
    if (out <= MODULE_SIDE_MAX && columns <= MODULE_SIDE_MAX && rank <= RANK_MAX) continue;
    return refuse(
      'tooLarge',
      `${directory}: ${name} is ${out} × ${columns} at rank ${rank}; allowed: sides to ${MODULE_SIDE_MAX}, ranks to ${RANK_MAX}`,
    );
  }
  return null;
}
