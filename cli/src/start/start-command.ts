import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { Fault } from '@flexlora/core';
import { createEmbeddedTrainer } from '@flexlora/embedded-trainer';
import { loadKernel } from '@flexlora/kernel';
import { ConfigError, createLogger, systemClock } from '@flexlora/runtime';
import { abortOnSignals } from '../federation/abort-on-signals.ts';
import { readS3Place } from '../federation/config.ts';
import { demoRunSpec } from '../federation/demo-run.ts';
import { createEvaluator, type Evaluator } from '../federation/evaluator.ts';
import { type FollowedRun, followRun, RunNotCompleted } from '../federation/follow-run.ts';
import { createLiveView } from '../federation/live-view.ts';
import { runLocalAgents } from '../federation/local-agents.ts';
import { PARTICIPANTS } from '../federation/participants.ts';
import { createPlatform } from '../federation/platform.ts';
import { type FederationReport, renderReport, reportOf } from '../federation/report.ts';
import { createRunClient } from '../federation/run-client.ts';
import { parseStartOptions, START_HELP, type StartOptions, UsageError } from './options.ts';

const AGGREGATORS = 2;
const INTERRUPTED = 130;

/** `flexlora start`: exit code 0 only when it trained. */
export async function startCommand(args: readonly string[]): Promise<number> {
  const interrupted = abortOnSignals();
  try {
    const options = parseStartOptions(args);
    if (options === null) {
      process.stdout.write(START_HELP);
      return 0;
    }
    const report = await federate(options, interrupted.signal);
    process.stderr.write(renderReport(report));
    if (options.output === 'json') process.stdout.write(`${JSON.stringify(report)}\n`);
    return 0;
  } catch (error) {
    if (interrupted.signal.aborted) {
      process.stderr.write('stopped\n');
      return INTERRUPTED;
    }
    if (error instanceof UsageError) {
      process.stderr.write(`flexlora start: ${error.message}\n`);
      return 2;
    }
    if (error instanceof Fault || error instanceof ConfigError || error instanceof RunNotCompleted) {
      process.stderr.write(`flexlora start: ${error.message}\n`);
      return 1;
    }
    throw error;
  } finally {
    interrupted.release();
  }
}

async function federate(options: StartOptions, interrupted: AbortSignal): Promise<FederationReport> {
  const startedAt = performance.now();
  const runId = `start-${Date.now().toString(36)}`;
  const directory = options.out ?? resolve('out', runId);
  await mkdir(directory, { recursive: true });
  const work = join(directory, 'work');

  const { kernel, notice } = loadKernel();
  if (notice !== null) process.stderr.write(`${notice}\n`);
  const logger = createLogger({ service: 'flexlora', level: 'error' });
  const trainer = createEmbeddedTrainer({ threads: Math.max(2, availableParallelism()) });
  const deps = { kernel, trainer, logger, clock: systemClock, random: Math.random };
  // Ends the agents when the run fails, and everything when the user asks.
  const ended = new AbortController();
  const signal = AbortSignal.any([interrupted, ended.signal]);
  const participants = PARTICIPANTS.slice(0, options.agents);
  const view = createLiveView(process.stderr);
  try {
    const platform = await createPlatform(deps, {
      redisUrl: options.redis,
      s3: options.s3 === null ? null : readS3Place(options.s3, process.env),
      directory: work,
      aggregators: AGGREGATORS,
    });
    const channel = { target: platform.target, tls: null };
    const runs = createRunClient(channel, deps);
    try {
      const { baseDigest, modules } = await trainer.hello();
      const model = { name: 'embedded-llama', digest: baseDigest, modules };
      const spec = demoRunSpec({ runId, model, agents: options.agents, rounds: options.rounds, seed: options.seed });
      await runs.createRun(spec, signal);
      const data = {
        corpus: 'typescript-diagnostics',
        languages: participants.map(({ language }) => language),
        split: 'held-out',
        bytes_max: HELD_OUT_BYTES,
      };
      const evaluator = createEvaluator(deps, { transfer: channel, spec, directory: join(work, 'evaluated'), data });
      const agents = runLocalAgents(deps, {
        runId,
        orchestrator: channel,
        participants,
        directory: join(work, 'agents'),
        signal,
      });
      const rank = spec.rank?.max ?? 1;
      const followed = await Promise.race([
        followRun({ runs, evaluator, view }, { runId, rank, signal }),
        untilFailed(agents),
      ]);
      await agents;
      view.close();
      const adapterDir = join(directory, 'adapter');
      const byRank = await evaluateRanks(evaluator, followed, adapterDir, rank, signal);
      return reportOf({
        runId,
        followed,
        byRank,
        adapterDir,
        kernel: kernel.name,
        seconds: (performance.now() - startedAt) / 1000,
      });
    } finally {
      ended.abort(new Error('the federation ended'));
      runs.close();
      await platform.stop();
    }
  } finally {
    view.close();
    await trainer.close();
  }
}

/** Bytes of held-out text of each language that an adapter is evaluated on. */
const HELD_OUT_BYTES = 2_048;

/** Writes the last adapter at the largest rank, and evaluates it cut to every rank in use. */
async function evaluateRanks(
  evaluator: Evaluator,
  followed: FollowedRun,
  adapterDir: string,
  rank: number,
  signal: AbortSignal,
): Promise<Map<number, number>> {
  const version = followed.rounds.length;
  await evaluator.writeAdapter(version, rank, adapterDir, signal);
  const inUse = new Set([...followed.members.values()].flatMap((member) => Object.values(member.ranks)));
  const losses = new Map<number, number>();
  for (const used of [...inUse].sort((a, b) => a - b))
    losses.set(used, await evaluator.adapterLoss(version, used, signal));
  return losses;
}

/** Never resolves: it only passes a failure on. */
const untilFailed = (work: Promise<unknown>): Promise<never> => new Promise((_, reject) => work.catch(reject));
