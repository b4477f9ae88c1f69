/**
 * A number from 0 to 2^32 − 1 that looks random and depends on its parts alone: the machine draws lots and makes seeds with it, so that a
 * replay of the same events decides the same. FNV-1a over the parts, then MurmurHash3's finalizer, which spreads neighbouring inputs.
 */
export function seededHash(...parts: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  for (const char of parts.join('\u0000')) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** 0 to 2^31 − 1: seeds travel through languages without unsigned numbers. */
const seed31 = (...parts: readonly (string | number)[]): number => seededHash(...parts) >>> 1;

/** Seeds one agent's training in one round; the same when the round is opened again. */
export const trainingSeed = (runSeed: number, round: number, agentId: string): number =>
  seed31('training', runSeed, round, agentId);

/** Seeds the orthonormal completion of a round; the aggregator makes each module's of it with `moduleSeed`. */
export const completionSeed = (runSeed: number, round: number): number => seed31('completion', runSeed, round);

/** Without the module's name, modules of equal width would begin with equal rows of A. */
export const moduleSeed = (roundSeed: number, moduleName: string): number => seed31('module', roundSeed, moduleName);
