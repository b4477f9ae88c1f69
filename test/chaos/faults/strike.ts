import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LinkTarget } from '../plan/fault-catalogue.ts';
import type { PlannedFault } from '../plan/plan-faults.ts';
import type { Service } from '../world/fleet.ts';
import type { Link } from '../world/links.ts';
import type { World } from '../world/world.ts';
import type { Who } from './reach-moment.ts';

/** A fault that came. */
export interface Struck {
  /** For people: what was hit. */
  readonly hit: string;
  /** The process that was hit, or whose link was. */
  readonly process: string | null;
  readonly heldTheLease: boolean;
  readonly atMs: number;
  /** What must have happened before the platform can have come out of it, while it has not; what processes say of themselves may be of before. */
  notYet(): string | null;
  /** Ends what can be ended: what was killed runs again, what was cut is whole. */
  heal(): Promise<void>;
}

/** What was delayed takes so much longer each way. */
const DELAY_MS = 250;

/** Strikes now; `heal` waits as long as the plan says before it ends the fault. */
export async function strike(world: World, fault: PlannedFault, who: Who): Promise<Struck> {
  const { watch } = world;
  switch (fault.target) {
    case 'leaseHolder':
    case 'otherOrchestrator': {
      const holder = watch.leaseHolder();
      const wantsHolder = fault.target === 'leaseHolder';
      const service =
        world.orchestrators.find(({ name }) => (name === holder) === wantsHolder) ?? only(world.orchestrators);
      const isHolder = service.name === holder;
      return strikeProcess(world, fault, service, orchestratorName(isHolder, holder), isHolder);
    }
    case 'workingAggregator':
    case 'anyAggregator':
      return strikeProcess(
        world,
        fault,
        named(world.aggregators, who.aggregatorId),
        fault.moment === 'aggregate' ? 'an aggregator with a task' : 'an aggregator',
        false,
      );
    case 'agent':
      return strikeProcess(world, fault, named(world.agents, who.agentId), 'an agent', false);
    case 'redis':
      return strikeRedis(world, fault);
    case 'minio':
      return strikeMinio(world, fault);
    case 'agentLink':
      return strikeLink(
        fault,
        world.links.of(who.agentId, 'agentLink', 'agentTransferLink'),
        who.agentId,
        'the link of an agent',
        false,
      );
    case 'aggregatorLink':
    case 'aggregatorStoreLink':
      return strikeLink(
        fault,
        world.links.of(who.aggregatorId, fault.target),
        who.aggregatorId,
        LINK_NAMES[fault.target],
        false,
      );
    case 'redisLink':
    case 'orchestratorStoreLink': {
      const process = watch.leaseHolder() ?? only(world.orchestrators).name;
      const isHolder = fault.target === 'redisLink' && process === watch.leaseHolder();
      return strikeLink(fault, world.links.of(process, fault.target), process, LINK_NAMES[fault.target], isHolder);
    }
  }
}

const orchestratorName = (isHolder: boolean, holder: string | null): string =>
  isHolder
    ? 'the orchestrator that holds the run'
    : holder === null
      ? 'an orchestrator, while none held the run'
      : 'the other orchestrator';

const LINK_NAMES: Readonly<Record<LinkTarget, string>> = {
  agentLink: 'the link of an agent',
  aggregatorLink: 'the link from an aggregator to the orchestrators',
  aggregatorStoreLink: 'the link from an aggregator to MinIO',
  redisLink: 'the link from the orchestrator that holds the run to Redis',
  orchestratorStoreLink: 'the link from the orchestrator that holds the run to MinIO',
};

const named = (services: readonly Service[], name: string): Service => {
  const service = services.find((each) => each.name === name);
  if (service === undefined) throw new Error(`there is no ${name}`);
  return service;
};
const only = (services: readonly Service[]): Service => named(services, services[0]?.name ?? 'service');

async function strikeProcess(
  world: World,
  fault: PlannedFault,
  service: Service,
  what: string,
  heldTheLease: boolean,
): Promise<Struck> {
  const struck = (done: string, heal: () => Promise<void>): Struck => ({
    hit: `${what} ${done}`,
    process: service.name,
    heldTheLease,
    atMs,
    notYet: () => null,
    heal,
  });
  const atMs = Date.now();
  switch (fault.action) {
    case 'pause':
      service.pause();
      return struck('paused (SIGSTOP)', async () => {
        await sleep(fault.awayMs);
        service.resume();
      });
    case 'restart': {
      const stopped = service.stop();
      return struck('restarted (SIGTERM)', async () => {
        await stopped;
        world.watch.forget(service.name);
        if (service.pid() === null) await service.start();
      });
    }
    default:
      await service.kill();
      world.watch.forget(service.name);
      return struck('killed (SIGKILL)', async () => {
        await sleep(fault.awayMs);
        if (service.pid() === null) await service.start();
      });
  }
}

async function strikeRedis(world: World, fault: PlannedFault): Promise<Struck> {
  const { redis } = world;
  const atMs = Date.now();
  const struck = (done: string, heal: () => Promise<void>, notYet: () => string | null = () => null): Struck => ({
    hit: `Redis ${done}`,
    process: null,
    heldTheLease: false,
    atMs,
    notYet,
    heal,
  });
  // Whoever holds the run holds a lease that is gone.
  const isHeldAnew = (): string | null =>
    world.watch.leases.some((taken) => taken.atMs > atMs) ? null : 'nobody has taken the run since';
  switch (fault.action) {
    case 'pause':
      await redis.pause();
      return struck('paused (SIGSTOP)', async () => {
        await sleep(fault.awayMs);
        await redis.resume();
      });
    case 'flush':
      await redis.flush();
      return struck('emptied (FLUSHALL)', async () => {}, isHeldAnew);
    case 'restart':
      await redis.kill('SIGTERM');
      return struck('restarted (SIGTERM)', () => redis.restart());
    case 'rollBack':
      if (redis.directory !== null) {
        const kept = await appendOnlyFile(redis.directory);
        await sleep(fault.awayMs);
        await redis.kill();
        await truncate(kept.path, kept.bytes);
        return struck(`killed, its last ${(fault.awayMs / 1000).toFixed(1)} s lost`, () => redis.restart());
      }
      // In a container its file is out of reach: it is killed alone.
      break;
    default:
  }
  await redis.kill();
  return struck('killed (SIGKILL)', async () => {
    await sleep(fault.awayMs);
    await redis.restart();
  });
}

/** The file that Redis appends to now, and how long it is. */
async function appendOnlyFile(directory: string): Promise<{ readonly path: string; readonly bytes: number }> {
  const folder = join(directory, 'appendonlydir');
  const newest = (await readdir(folder))
    .filter((name) => name.endsWith('.incr.aof'))
    .sort()
    .at(-1);
  if (newest === undefined) throw new Error(`Redis has no append-only file in ${folder}`);
  const path = join(folder, newest);
  return { path, bytes: (await stat(path)).size };
}

async function strikeMinio(world: World, fault: PlannedFault): Promise<Struck> {
  const { minio, disk } = world;
  // Filling a disk takes its time.
  if (fault.action === 'fill') await disk.fill();
  const atMs = Date.now();
  const struck = (done: string, heal: () => Promise<void>): Struck => ({
    hit: `MinIO ${done}`,
    process: null,
    heldTheLease: false,
    atMs,
    notYet: () => null,
    heal,
  });
  switch (fault.action) {
    case 'pause':
      await minio.pause();
      return struck('paused (SIGSTOP)', async () => {
        await sleep(fault.awayMs);
        await minio.resume();
      });
    case 'restart':
      await minio.kill('SIGTERM');
      return struck('restarted (SIGTERM)', () => minio.restart());
    case 'fill':
      return struck(disk.how === 'mounted' ? 'without space on its disk' : 'answering that it is full', async () => {
        await sleep(fault.awayMs);
        await disk.empty();
      });
    default:
      await minio.kill();
      return struck('killed (SIGKILL)', async () => {
        await sleep(fault.awayMs);
        await minio.restart();
      });
  }
}

async function strikeLink(
  fault: PlannedFault,
  links: readonly Link[],
  process: string,
  what: string,
  heldTheLease: boolean,
): Promise<Struck> {
  const atMs = Date.now();
  const isCut = fault.action === 'cut';
  for (const { proxy } of links) {
    if (isCut) proxy.cut();
    else proxy.delay(DELAY_MS);
  }
  return {
    hit: isCut ? `${what} cut` : `${what} slowed by ${DELAY_MS} ms each way`,
    process,
    heldTheLease: heldTheLease && isCut,
    atMs,
    notYet: () => null,
    heal: async () => {
      await sleep(fault.awayMs);
      for (const { proxy } of links) {
        proxy.mend();
        proxy.delay(0);
      }
    },
  };
}
