import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Fault } from '@flexlora/core';
import { ConfigError, systemClock } from '@flexlora/runtime';
import { createS3ObjectStore } from '@flexlora/stores';
import { openStores } from '../backing/open-stores.ts';
import { startCluster } from '../dev-cluster/cluster.ts';
import { abortOnSignals } from '../federation/abort-on-signals.ts';
import { readS3IfNamed } from '../federation/config.ts';
import { sentenceOfFileError } from '../federation/file-error.ts';
import { readServer } from '../run/config.ts';
import { UsageError } from '../start/options.ts';
import { parseSimulateOptions, SIMULATE_HELP, type SimulateOptions } from './options.ts';
import { isSound, renderReport, type ServiceMemory, type SimulationReport } from './report.ts';
import { peakMemoryBytes } from './service-memory.ts';
import { simulate } from './simulation.ts';
import { createSimulationView, type SimulationView } from './view.ts';

/** What a shell expects of a process that Ctrl-C stopped. */
const INTERRUPTED = 130;

/** `flexlora simulate`: 0 when nothing was lost, 1 when something was or the run did not complete, 2 wrong usage. */
export async function simulateCommand(args: readonly string[]): Promise<number> {
  const interrupted = abortOnSignals();
  const say = (message: string): void => void process.stderr.write(`flexlora simulate: ${message}\n`);
  try {
    const options = parseSimulateOptions(args);
    if (options === null) {
      process.stdout.write(SIMULATE_HELP);
      return 0;
    }
    const report = await simulateOn(options, interrupted.signal);
    process.stderr.write(renderReport(report));
    if (options.output === 'json') process.stdout.write(`${JSON.stringify(report)}\n`);
    return isSound(report) ? 0 : 1;
  } catch (error) {
    if (interrupted.signal.aborted) {
      say('stopped');
      return INTERRUPTED;
    }
    if (error instanceof UsageError || error instanceof ConfigError) {
      say(error.message);
      return 2;
    }
    const sentence = error instanceof Fault ? error.message : sentenceOfFileError(error);
    if (sentence === null) throw error;
    say(sentence);
    return 1;
  } finally {
    interrupted.release();
  }
}

async function simulateOn(options: SimulateOptions, signal: AbortSignal): Promise<SimulationReport> {
  const runId = `simulate-${Date.now().toString(36)}`;
  const view = createSimulationView(process.stderr);
  try {
    return options.server === null
      ? await onOwnPlatform(options, { runId, view, signal })
      : await onPlatform(options, { runId, view, signal, server: options.server });
  } finally {
    view.close();
  }
}

interface Surroundings {
  readonly runId: string;
  readonly view: SimulationView;
  readonly signal: AbortSignal;
}

const deps = { clock: systemClock, random: Math.random };

async function onPlatform(
  options: SimulateOptions,
  { view, server, ...rest }: Surroundings & { readonly server: string },
): Promise<SimulationReport> {
  const s3 = readS3IfNamed();
  const objectStore = s3 === null ? null : createS3ObjectStore(s3);
  try {
    return await simulate(
      { ...deps, view },
      {
        ...rest,
        options,
        platform: readServer(server),
        objectStore,
        servicesMemory: async () => [await memoryOf({ name: 'driver', pid: process.pid })],
        alongside: new Promise(() => {}),
      },
    );
  } finally {
    await objectStore?.close();
  }
}

async function onOwnPlatform(options: SimulateOptions, { view, ...rest }: Surroundings): Promise<SimulationReport> {
  const { runId } = rest;
  const stores = await openStores(deps);
  const objectStore = createS3ObjectStore(stores.s3);
  try {
    const directory = resolve('out', runId);
    await mkdir(directory, { recursive: true });
    view.note(`logs and pids: ${directory}`);
    const cluster = await startCluster({ ...options, ...stores, runId, directory, participants: [] });
    try {
      const processes = [...cluster.processes, ...stores.programs, { name: 'driver', pid: process.pid }];
      return await simulate(
        { ...deps, view },
        {
          ...rest,
          options,
          platform: { target: cluster.target, tls: null },
          objectStore,
          servicesMemory: () => Promise.all(processes.map(memoryOf)),
          alongside: oneGone([
            ...cluster.processes.map(({ name, exited, logFile }) => ({
              name,
              ended: exited.then((code) => `${code === null ? 'by a signal' : `exit code ${code}`}: see ${logFile}`),
            })),
            ...stores.programs,
          ]),
        },
      );
    } finally {
      await cluster.stop();
    }
  } finally {
    await objectStore.close();
    await stores.close();
  }
}

const memoryOf = async ({ name, pid }: { readonly name: string; readonly pid: number }): Promise<ServiceMemory> => ({
  name,
  peak_memory_bytes: await peakMemoryBytes(pid),
});

/** Nothing kills a service here: one that ends has failed. @throws {Fault} */
async function oneGone(
  services: readonly { readonly name: string; readonly ended: Promise<string> }[],
): Promise<never> {
  const end = await Promise.race(services.map(async ({ name, ended }) => `${name} ended (${await ended})`));
  throw new Fault(`the simulation cannot go on: ${end}`);
}
