/** How many clients, and of which ranks: client i has rank `cycle[i % cycle.length]`, so that the sum of ranks is the same in every run. */
export interface ClientMix {
  readonly name: string;
  readonly clients: number;
  readonly cycle: readonly number[];
}

/** Ranks of one cycle of 20 clients: 80 % of rank 8, 10 % of 30, 10 % of 200; mean 29.4. The heavy tail of the paper's distributions. */
export const HEAVY_TAIL: readonly number[] = [8, 8, 8, 8, 30, 8, 8, 8, 8, 200, 8, 8, 8, 8, 30, 8, 8, 8, 8, 200];

const SMALL: readonly number[] = [4, 8, 16, 32];
const UNIFORM: readonly number[] = [8, 30, 200];

/** By sum of ranks: 72, 360, 1,466, 4,736, 6,226 and 33,238. */
export const CLIENT_MIXES: readonly ClientMix[] = [
  { name: 'small-6', clients: 6, cycle: SMALL },
  { name: 'small-24', clients: 24, cycle: SMALL },
  { name: 'uniform-20', clients: 20, cycle: UNIFORM },
  { name: 'heavy-164', clients: 164, cycle: HEAVY_TAIL },
  { name: 'uniform-80', clients: 80, cycle: UNIFORM },
  { name: 'heavy-1132', clients: 1132, cycle: HEAVY_TAIL },
];

export function ranksOf({ clients, cycle }: ClientMix): readonly number[] {
  return Array.from({ length: clients }, (_, client) => cycle[client % cycle.length]!);
}

export function rankSumOf(mix: ClientMix): number {
  return ranksOf(mix).reduce((sum, rank) => sum + rank, 0);
}

/** Of every client: with PEFT's scaling, s = α / r. */
export const ALPHA = 16;

/** Training samples of a client, 50 to 499. */
export function samplesOf(client: number): number {
  return 50 + ((client * 7919) % 450);
}
