import { AWAY_MS, FAULT_CATALOGUE, type Fault, MOMENTS, type Moment } from './fault-catalogue.ts';
import { between, createSeededRandom, oneOf, shuffled } from './seeded-random.ts';

/** One fault, and when it is to come. */
export interface PlannedFault extends Fault {
  /** From 1. */
  readonly number: number;
  /** The earliest round that it may come in. */
  readonly round: number;
  readonly moment: Moment;
  readonly awayMs: number;
  /** For `random`: so long after the round began. */
  readonly afterMs: number;
  /** In [0, 1): which one, where there are several. */
  readonly draw: number;
  /** Whether the next fault comes while this one lasts. */
  readonly next: 'waits' | 'comesAtOnce';
}

export interface PlanOptions {
  readonly faults: number;
  readonly rounds: number;
  readonly seed: number;
}

/** Share of faults that the next one does not wait for. */
const OVERLAPPING = 0.2;
const RANDOM_AFTER_MS_MAX = 4_000;

/**
 * Spreads faults over the rounds of a run but the last, which is there for those that come late. Every fault of the catalogue comes once, in an order that the seed decides, before any comes
 * twice; a plan of fewer begins with faults of different targets.
 */
export function planFaults({ faults, rounds, seed }: PlanOptions): readonly PlannedFault[] {
  const random = createSeededRandom(seed);
  const order: Fault[] = [];
  while (order.length < faults) order.push(...differentTargetsFirst(shuffled(random, FAULT_CATALOGUE)));
  const plan = order.slice(0, faults).map((fault, index): PlannedFault => {
    const [least, most] = AWAY_MS[fault.action];
    return {
      ...fault,
      number: index + 1,
      round: 1 + Math.floor((index * Math.max(1, rounds - 1)) / faults),
      moment: oneOf(random, MOMENTS[fault.target]),
      awayMs: between(random, least, most),
      afterMs: between(random, 0, RANDOM_AFTER_MS_MAX),
      draw: random(),
      next: random() < OVERLAPPING ? 'comesAtOnce' : 'waits',
    };
  });
  return plan.map((fault, index) => (mayOverlap(fault, plan[index + 1]) ? fault : { ...fault, next: 'waits' }));
}

/** Two faults of one target at once would be one. */
const mayOverlap = (fault: PlannedFault, next: PlannedFault | undefined): boolean =>
  next !== undefined && next.target !== fault.target;

function differentTargetsFirst(faults: readonly Fault[]): readonly Fault[] {
  const seen = new Set<string>();
  const isFirst = faults.map(({ target }) => !seen.has(target) && seen.add(target) !== null);
  return [...faults.filter((_, index) => isFirst[index]), ...faults.filter((_, index) => !isFirst[index])];
}
