import { setTimeout as sleep } from 'node:timers/promises';
import type { PlannedFault } from '../plan/plan-faults.ts';
import type { World } from '../world/world.ts';
import { reachMoment, type Who } from './reach-moment.ts';
import { type Struck, strike } from './strike.ts';

/** A fault that came, and how the platform came out of it. */
export interface FaultRecord {
  readonly planned: PlannedFault;
  readonly hit: string;
  readonly when: string;
  readonly round: number;
  readonly process: string | null;
  readonly heldTheLease: boolean;
  readonly atMs: number;
  /** When it was ended. */
  readonly healedAtMs: number;
  /** When every process said that it was ready and every orchestrator knew the run; null when that did not come in time. */
  readonly wholeAtMs: number | null;
  /** What it waited for last. */
  readonly waitedFor: string | null;
}

/** After the end of a fault; past it the harness goes on, and says what was wrong. */
export const WHOLE_MS_MAX = 60_000;
const LOOK_MS = 100;

export interface Conducted {
  readonly records: readonly FaultRecord[];
  /** Faults whose moment never came. */
  readonly missed: readonly PlannedFault[];
}

/** Strikes every fault of the plan at its moment, in order, while the run goes on. */
export async function conduct(
  world: World,
  plan: readonly PlannedFault[],
  options: { readonly rounds: number; readonly tell: (line: string) => void },
  signal: AbortSignal,
): Promise<Conducted> {
  const records: FaultRecord[] = [];
  const missed: PlannedFault[] = [];
  const lasting: Promise<void>[] = [];
  /** What faults that last keep away: no other fault is to blame for it. */
  const away = new Map<number, string>();
  for (const planned of plan) {
    signal.throwIfAborted();
    const who = chooseWho(world, planned);
    const reached = await reachMoment(world, planned, who, options.rounds);
    if (reached === null) {
      missed.push(planned);
      options.tell(`fault ${planned.number}: its moment (${planned.moment}) did not come`);
      continue;
    }
    const struck = await strike(world, { ...planned, moment: reached.moment }, who).finally(reached.letGo);
    options.tell(`fault ${planned.number}: round ${reached.round}, ${reached.when}: ${struck.hit}${name(struck)}`);
    if (struck.process !== null) away.set(planned.number, struck.process);
    const others = (): ReadonlySet<string> =>
      new Set([...away].flatMap(([number, process]) => (number === planned.number ? [] : [process])));
    const over = outlast(world, struck, others, signal).then((outcome) => {
      away.delete(planned.number);
      const record: FaultRecord = {
        planned,
        hit: struck.hit,
        when: reached.when,
        round: reached.round,
        process: struck.process,
        heldTheLease: struck.heldTheLease,
        atMs: struck.atMs,
        ...outcome,
      };
      records.push(record);
      options.tell(`fault ${planned.number}: ${sentenceOf(record)}`);
    });
    // Its failure is thrown where it is awaited: here, or at the end.
    over.catch(() => {});
    if (planned.next === 'waits') await over;
    else lasting.push(over);
  }
  await Promise.all(lasting);
  return { records: records.toSorted((a, b) => a.planned.number - b.planned.number), missed };
}

const name = ({ process }: Struck): string => (process === null ? '' : ` (${process})`);

const sentenceOf = ({ atMs, wholeAtMs, waitedFor }: FaultRecord): string =>
  wholeAtMs === null
    ? `not whole in time: ${waitedFor}`
    : `whole after ${((wholeAtMs - atMs) / 1000).toFixed(1)} s${waitedFor === null ? '' : `; last: ${waitedFor}`}`;

function chooseWho(world: World, { draw }: PlannedFault): Who {
  const at = <Item>(items: readonly Item[]): Item | undefined => items[Math.floor(draw * items.length)];
  return { agentId: at(world.agents)?.name ?? '', aggregatorId: at(world.aggregators)?.name ?? '' };
}

async function outlast(
  world: World,
  struck: Struck,
  others: () => ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Pick<FaultRecord, 'healedAtMs' | 'wholeAtMs' | 'waitedFor'>> {
  await struck.heal();
  const healedAtMs = Date.now();
  for (let waitedFor: string | null = null; ; await sleep(LOOK_MS)) {
    signal.throwIfAborted();
    const whyNot = struck.notYet() ?? (await world.whyNotWhole(others()));
    if (whyNot === null) return { healedAtMs, wholeAtMs: Date.now(), waitedFor };
    waitedFor = whyNot;
    if (Date.now() - healedAtMs > WHOLE_MS_MAX) return { healedAtMs, wholeAtMs: null, waitedFor };
  }
}
