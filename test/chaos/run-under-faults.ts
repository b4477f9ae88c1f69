import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Outcome } from '@flexlora/contracts/run/v1/run_service';
import type { TrainingLine } from '../harness/trainers/scripted-trainer.ts';
import type { Told } from './checks/audit-updates.ts';
import { type PublishedManifest, readPublishedRounds } from './checks/published-rounds.ts';
import { conduct, type FaultRecord } from './faults/conduct.ts';
import type { PlannedFault } from './plan/plan-faults.ts';
import { chaosRunSpec } from './world/chaos-run-spec.ts';
import type { Acknowledgement, LeaseTaken } from './world/run-watch.ts';
import { type SelfEnding, startWorld, type World } from './world/world.ts';

/** All that is known of a run that is over. */
export interface RunAccount {
  readonly seconds: number;
  /** Null when it completed, else how it stood. */
  readonly whyNotCompleted: string | null;
  readonly faults: readonly FaultRecord[];
  readonly missed: readonly PlannedFault[];
  readonly published: readonly PublishedManifest[];
  readonly acknowledgements: readonly Acknowledgement[];
  /** What agents keep of it on their disks. */
  readonly receipts: readonly Told[];
  readonly leases: readonly LeaseTaken[];
  readonly endings: readonly SelfEnding[];
  readonly trainings: ReadonlyMap<string, readonly TrainingLine[]>;
  readonly sent: readonly SentUpdate[];
}

/** What an agent's link for bytes carried from its update before this one to the acknowledgement of this one. */
export interface SentUpdate extends Acknowledgement {
  readonly bytes: number;
  /** Rounds since the update before that was seen acknowledged: 1 unless one was not seen. */
  readonly rounds: number;
}

export interface RunOptions {
  readonly directory: string;
  readonly rounds: number;
  readonly seed: number;
  readonly plan: readonly PlannedFault[];
  readonly tell: (line: string) => void;
}

/** Nothing is published and nobody is told anything for so long: the run is stuck. */
const STUCK_MS = 90_000;
const RUN_ID = 'chaos';

/** One run, from nothing to its end, under a plan of faults; an empty plan disturbs nothing. Whatever it started has ended when it returns. */
export async function runUnderFaults(options: RunOptions, signal: AbortSignal): Promise<RunAccount> {
  const { directory, rounds, seed, plan } = options;
  mkdirSync(directory, { recursive: true });
  const startedAtMs = Date.now();
  const world = await startWorld({ directory, spec: chaosRunSpec({ runId: RUN_ID, rounds, seed }) }, signal);
  try {
    const sent = countSentUpdates(world, signal);
    const { records, missed } = await conduct(world, plan, options, signal);
    world.letThrough(Number.POSITIVE_INFINITY);
    await untilSettledOrStuck(world);
    const run = world.watch.run();
    return {
      seconds: (Date.now() - startedAtMs) / 1000,
      whyNotCompleted:
        run?.outcome === Outcome.COMPLETED
          ? null
          : [run?.standing ?? 'it was never seen', await world.whyNotWhole(), ...world.endings.map(endingOf)].join(
              '; ',
            ),
      faults: records,
      missed,
      published: await readPublishedRounds(world.minio, RUN_ID),
      acknowledgements: world.watch.acknowledgements,
      receipts: world.agents.flatMap(({ name }) => world.receipts(name)),
      leases: world.watch.leases,
      endings: world.endings,
      trainings: new Map(world.agents.map(({ name }) => [name, world.trainings(name)])),
      sent: sent(),
    };
  } finally {
    await world.stop();
  }
}

const endingOf = ({ service, end }: SelfEnding): string => `${service} ended by itself (${end})`;

async function untilSettledOrStuck({ watch }: World): Promise<void> {
  const progress = (): string => `${watch.run()?.published.length} ${watch.acknowledgements.length} ${watch.round()}`;
  for (let last = progress(); !watch.isSettled(); last = progress()) {
    if (!(await watch.until(() => watch.isSettled() || progress() !== last, STUCK_MS))) return;
  }
}

/** Looks at the links as acknowledgements come. */
function countSentUpdates(world: World, signal: AbortSignal): () => readonly SentUpdate[] {
  const sent: SentUpdate[] = [];
  const before = new Map<string, { readonly bytes: number; readonly round: number }>();
  let seen = 0;
  const look = (): readonly SentUpdate[] => {
    for (const told of world.watch.acknowledgements.slice(seen)) {
      seen += 1;
      const { agentId, round } = told;
      const bytes = world.links
        .of(agentId, 'agentTransferLink')
        .reduce((sum, { proxy }) => sum + proxy.passed('toServer'), 0);
      const last = before.get(agentId) ?? { bytes: 0, round: 0 };
      sent.push({ ...told, bytes: bytes - last.bytes, rounds: Math.max(1, round - last.round) });
      before.set(agentId, { bytes, round });
    }
    return sent;
  };
  const timer = setInterval(look, LOOK_MS);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  return () => {
    clearInterval(timer);
    return look();
  };
}

const LOOK_MS = 50;

export const folderOf = (directory: string, run: 'calm' | 'disturbed'): string => join(directory, run);
