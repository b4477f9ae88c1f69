import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseReceipts } from '@flexlora/client-agent';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import type { TrainingLine } from '../../harness/trainers/scripted-trainer.ts';
import type { Told } from '../checks/audit-updates.ts';
import { createRun } from './create-run.ts';
import { createFleet, type Fleet } from './fleet.ts';
import { createLinks, type Links } from './links.ts';
import { createRunWatch, type RunWatch } from './run-watch.ts';
import { type Stores, startStores } from './stores.ts';
import { whyNotWhole } from './why-not-whole.ts';

/** A service that ends by itself is started again, as a supervisor does. */
const SUPERVISOR_MS = 500;
/** Updates and adapters of one round, half of them again for what faults leave behind. */
const ROUND_BYTES = 64 << 20;
/** Rounds that the store's disk has room for beyond those of the run. */
const ROUNDS_SPARE = 4;

/** The whole platform as processes, with a run in it. */
export interface World extends Stores, Pick<Fleet, 'orchestrators' | 'aggregators' | 'agents'> {
  readonly links: Links;
  readonly watch: RunWatch;
  /** Services that ended and nobody here had asked them to. */
  readonly endings: readonly SelfEnding[];
  /** Trainings of rounds up to this one may end; others wait. What was let through once stays so. */
  letThrough(round: number): void;
  trainings(agentId: string): readonly TrainingLine[];
  /** What the agent keeps of what it was told. */
  receipts(agentId: string): readonly Told[];
  /** Why it is not whole, in a sentence; null when every process, but those that are excepted, says that it is ready. */
  whyNotWhole(except?: ReadonlySet<string>): Promise<string | null>;
  /** Ends every process, link and store, and removes what they stored. */
  stop(): Promise<void>;
}

export interface SelfEnding {
  readonly service: string;
  readonly atMs: number;
  readonly end: string;
}

/** @throws {NoStores} */
export async function startWorld(
  options: { readonly directory: string; readonly spec: RunSpec },
  signal: AbortSignal,
): Promise<World> {
  const { directory, spec } = options;
  const closing: (() => unknown)[] = [];
  let isStopping = false;
  const stop = async (): Promise<void> => {
    isStopping = true;
    for (const close of closing.splice(0).reverse()) await close();
  };
  try {
    const stores = await startStores(directory, (spec.rounds + ROUNDS_SPARE) * ROUND_BYTES);
    closing.push(() => stores.stop());
    const links = createLinks();
    closing.push(() => links.close());
    const endings: SelfEnding[] = [];
    const fleet = await createFleet({
      directory,
      runId: spec.runId,
      stores,
      links,
      onLine: (name, line) => watch.hear(name, line),
      onEndedItself: (service, end) => {
        watch.forget(service.name);
        if (isStopping || (watch.heardTheEnd(service.name) && end === 'exit code 0')) return;
        endings.push({ service: service.name, atMs: Date.now(), end });
        setTimeout(() => {
          if (!isStopping && service.pid() === null) void service.start();
        }, SUPERVISOR_MS);
      },
    });
    const watch = createRunWatch({ runId: spec.runId, orchestrators: fleet.doors }, signal);
    closing.push(() => watch.close());
    const services = [...fleet.orchestrators, ...fleet.aggregators];
    closing.push(() => Promise.all([...services, ...fleet.agents].map((service) => service.kill())));
    for (const service of services) await service.start();
    await createRun(spec, fleet.doors, signal);
    for (const agent of fleet.agents) await agent.start();
    return {
      ...stores,
      ...fleet,
      links,
      watch,
      endings,
      letThrough: createGate(fleet.roundsFile),
      trainings: (agentId) => trainingsIn(textOf(fleet.journalOf(agentId))),
      receipts: (agentId) =>
        parseReceipts(textOf(fleet.receiptsOf(agentId))).map(({ round, sha256 }) => ({
          agentId,
          round,
          digest: sha256,
        })),
      whyNotWhole: (except = new Set()) => whyNotWhole(fleet, watch, except),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function createGate(roundsFile: string): (round: number) => void {
  let letThrough = 0;
  return (round) => {
    if (round <= letThrough) return;
    letThrough = round;
    writeFileSync(roundsFile, String(Math.min(round, Number.MAX_SAFE_INTEGER)));
  };
}

const textOf = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');

/** A line that a killed trainer began is left out. */
const trainingsIn = (journal: string): readonly TrainingLine[] =>
  journal.split('\n').flatMap((line) => (line.endsWith('}') ? [JSON.parse(line) as TrainingLine] : []));
