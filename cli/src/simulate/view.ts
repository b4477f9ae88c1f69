import type { Run } from '@flexlora/contracts/run/v1/run_service';
import { createLogUpdate } from 'log-update';
import { standingLine } from '../run/run-text.ts';
import { ACTIVITIES, type FleetTally } from './fleet-tally.ts';
import type { RpcLatency } from './rpc-latency.ts';

/** What a simulation shows while it goes. */
export interface SimulationSnapshot {
  readonly seconds: number;
  /** Null before it is created. */
  readonly run: Run | null;
  readonly agents: number;
  readonly tally: FleetTally;
  readonly rpcs: readonly RpcLatency[];
}

/** A block that is redrawn on a terminal, a line now and then elsewhere. */
export interface SimulationView {
  show(snapshot: SimulationSnapshot): void;
  /** A line that stays. */
  note(line: string): void;
  close(): void;
  /** How often it wants to be shown something. */
  readonly everyMs: number;
}

const REDRAW_MS = 500;
const LINE_MS = 10_000;

export function createSimulationView(stream: NodeJS.WriteStream): SimulationView {
  if (stream.isTTY !== true)
    return {
      show: (snapshot) => void stream.write(`${lineOf(snapshot)}\n`),
      note: (line) => void stream.write(`${line}\n`),
      close: () => {},
      everyMs: LINE_MS,
    };
  const redraw = createLogUpdate(stream, { showCursor: true });
  return {
    show: (snapshot) => redraw(renderSnapshot(snapshot, stream.columns)),
    note: (line) => {
      redraw.clear();
      stream.write(`${line}\n`);
    },
    close: () => redraw.done(),
    everyMs: REDRAW_MS,
  };
}

const standing = ({ run }: SimulationSnapshot): string => (run === null ? 'the run is created' : standingLine(run));
const activityLine = ({ tally }: SimulationSnapshot): string =>
  ACTIVITIES.filter((activity) => tally.activities[activity] > 0)
    .map((activity) => `${tally.activities[activity]} ${activity}`)
    .join(', ') || 'no agent yet';

export const lineOf = (snapshot: SimulationSnapshot): string =>
  `${Math.round(snapshot.seconds)} s: ${standing(snapshot)}; ${snapshot.tally.enrolled} of ${snapshot.agents} agents enrolled: ${activityLine(snapshot)}; ${snapshot.tally.acknowledgements.length} updates acknowledged${troubleText(snapshot)}`;

/** What was refused or tried again so far: where a fleet stands still, it says why. */
function troubleText({ tally }: SimulationSnapshot): string {
  const counted = (counts: Readonly<Record<string, number>>): readonly string[] =>
    Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  const [refused, retried] = [counted(tally.refused), counted(tally.retried)];
  return [
    refused.length > 0 ? `; refused: ${refused.join(', ')}` : '',
    retried.length > 0 ? `; tried again: ${retried.join(', ')}` : '',
  ].join('');
}

const BAR_CHARS = 40;

export function renderSnapshot(snapshot: SimulationSnapshot, columns: number): string {
  const { tally, agents, rpcs } = snapshot;
  const bars = ACTIVITIES.map((activity) => {
    const count = tally.activities[activity];
    return `  ${activity.padEnd(11)} ${String(count).padStart(6)}  ${'━'.repeat(Math.ceil((BAR_CHARS * count) / Math.max(1, agents)))}`;
  });
  const calls = rpcs
    .filter(({ kind }) => kind === 'unary')
    .map(
      ({ method, count, p50Ms, p99Ms, unavailable }) =>
        `  ${method.padEnd(34)} ${String(count).padStart(8)}  p50 ${p50Ms.toFixed(0).padStart(6)} ms  p99 ${p99Ms.toFixed(0).padStart(6)} ms${unavailable > 0 ? `  ${unavailable} unavailable` : ''}`,
    );
  return [
    `${Math.round(snapshot.seconds)} s · ${standing(snapshot)}`,
    `${tally.enrolled} of ${agents} enrolled · ${tally.acknowledgements.length} updates acknowledged${troubleText(snapshot)}`,
    ...bars,
    ...calls,
    '',
  ]
    .map((line) => line.slice(0, columns))
    .join('\n');
}
