import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type AdapterModule,
  serveProtocol,
  type Trainer,
  TrainerError,
  type TrainRequest,
  writeAdapter,
} from '@flexlora/embedded-trainer';
import { SCRIPTED_MODULES } from './scripted-modules.ts';

/**
 * A trainer that trains nothing: its adapter is drawn from its request and the bytes of the adapter that it starts from, so that one
 * wrong byte in one round changes every adapter after it. What it measures is fixed. It says in a journal when each training begins
 * and ends, and holds a training as long as the rounds that are let through do not reach its own.
 *
 * `FLEXLORA_TRAINER_DATA`: see `ScriptedData`.
 */
export interface ScriptedData {
  readonly samples: number;
  /** Of one training, in all its steps. */
  readonly milliseconds: number;
  /** A line of JSON for each training that begins or ends: see `TrainingLine`. */
  readonly journal: string;
  /** Holds the number of the last round that may finish its training; absent, all may. */
  readonly roundsFile: string;
}

export interface TrainingLine {
  readonly what: 'began' | 'ended';
  readonly atMs: number;
  readonly round: number;
  readonly seed: number;
  /** SHA-256 of the adapter that it starts from. */
  readonly adapterIn: string;
  /** SHA-256 of the update, when it ended. */
  readonly update?: string;
}

const BYTES_PER_RANK = 1_000;
const POLL_MS = 50;
const WEIGHTS_FILE = 'adapter_model.safetensors';

export function createScriptedTrainer(): Trainer {
  return {
    hello: async () => ({ trainer: 'scripted', version: '1', modules: SCRIPTED_MODULES, baseDigest: 'a'.repeat(64) }),
    probe: async ({ ranks }) => ({
      measurements: ranks.map((rank) => ({ rank, memoryBytes: rank * BYTES_PER_RANK, stepSeconds: 0.001 })),
    }),
    async train(request, options = {}) {
      const data = request.data as ScriptedData;
      const round = roundOf(request.adapterOut);
      const startedAt = performance.now();
      const adapterIn = sha256(readFileSync(join(request.adapterIn, WEIGHTS_FILE)));
      const tell = (line: Pick<TrainingLine, 'what' | 'update'>): void =>
        appendFileSync(
          data.journal,
          `${JSON.stringify({ ...line, atMs: Date.now(), round, seed: request.seed, adapterIn })}\n`,
        );
      tell({ what: 'began' });
      for (let done = 0; done < request.steps || round > roundsLetThrough(data.roundsFile); done += 1) {
        if (options.signal?.aborted === true) throw new TrainerError('cancelled', 'training was cancelled');
        options.onProgress?.({ done: Math.min(done, request.steps - 1), total: request.steps, loss: 1 });
        await sleep(done < request.steps ? data.milliseconds / request.steps : POLL_MS);
      }
      writeAdapter(request.adapterOut, drawAdapter(request, adapterIn), {
        kind: request.scaling,
        alpha: request.alpha,
      });
      tell({ what: 'ended', update: sha256(readFileSync(join(request.adapterOut, WEIGHTS_FILE))) });
      const seconds = (performance.now() - startedAt) / 1000;
      return { samples: data.samples, steps: request.steps, lossFirst: 1, lossLast: 1, seconds };
    },
    evaluate: () => Promise.reject(new TrainerError('bad_request', 'the scripted trainer does not evaluate')),
    close: async () => {},
  };
}

/** The agent names the directory after the round: the protocol itself does not speak of rounds. */
function roundOf(adapterOut: string): number {
  const [, digits] = /^round-(\d+)$/.exec(basename(adapterOut)) ?? [];
  if (digits === undefined)
    throw new TrainerError('bad_request', `adapter_out is ${adapterOut}; needed here is round-<n> as its last part`);
  return Number(digits);
}

const roundsLetThrough = (file: string): number =>
  existsSync(file) ? Number(readFileSync(file, 'utf8')) : Number.POSITIVE_INFINITY;

/** The same request and the same adapter give the same bytes. */
export function drawAdapter(request: TrainRequest, adapterIn: string): ReadonlyMap<string, AdapterModule> {
  const adapter = new Map<string, AdapterModule>();
  for (const { name, out, in: width } of SCRIPTED_MODULES) {
    const rank = request.ranks[name];
    if (rank === undefined) continue;
    const draw = (side: string, count: number) => uniform(`${request.seed} ${adapterIn} ${name} ${side}`, count);
    adapter.set(name, { out, in: width, rank, scaling: 1, a: draw('a', rank * width), b: draw('b', out * rank) });
  }
  return adapter;
}

/** Uniform in [-1, 1): xorshift32, seeded by a digest. */
function uniform(seed: string, count: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  let state = createHash('sha256').update(seed).digest().readUInt32LE(0) | 1;
  for (let index = 0; index < count; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[index] = state / 2 ** 31;
  }
  return values;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

// As a program it leaves its pid where its first argument says, so that who kills its agent can kill it as well.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const pidFile = process.argv[2];
  if (pidFile !== undefined) writeFileSync(pidFile, String(process.pid));
  process.stdout.on('error', () => process.exit(1));
  await serveProtocol(createScriptedTrainer(), process.stdin, process.stdout);
  process.stdin.destroy();
}
