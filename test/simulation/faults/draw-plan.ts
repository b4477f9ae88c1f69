import { between, createSeededRandom, oneOf } from '../../chaos/plan/seeded-random.ts';
import type { CallFault, FaultPlan, PlannedFault, StoreName, WorldFault, WorldPlan } from './fault-plan.ts';

/** More at once would make most seeds about the sum of faults, and few about any one of them. */
export const FAULTS_MAX = 6;
/** Seeds in which a task takes one aggregator after the other with it. */
const POISON_SHARE = 0.03;
const POISON_KILLS_MAX = 10;
/** Faults at a time fall into the first so much of a run; a quiet run takes about as long. */
const STRIKES_WITHIN_MS = 20_000;

export const ORCHESTRATORS = ['orchestrator-1', 'orchestrator-2'] as const;
export const AGGREGATORS = ['aggregator-1', 'aggregator-2'] as const;
export const agentName = (index: number): string => `agent-${index + 1}`;

/** Points that are worth a crash, a lost answer, a detour: each was a place where something could have been lost. */
const POINTS: Readonly<Record<'orchestrator' | 'aggregator' | 'agent', readonly string[]>> = {
  orchestrator: [
    'roundStore.commit',
    'roundStore.commit',
    'roundStore.offer',
    'roundStore.offer',
    'roundStore.acquireLease',
    'roundStore.renewLease',
    'roundStore.readState',
    'roundStore.readInbox',
    'roundStore.readReply',
    'roundStore.readFields',
    'roundStore.createRun',
    'objectStore.putIfAbsent',
    'objectStore.putIfAbsent',
    'objectStore.beginUpload',
    'objectStore.writePart',
    'objectStore.listParts',
    'objectStore.completeUpload',
    'objectStore.completeWritten',
    'objectStore.get',
    'objectStore.head',
    'objectStore.read',
    'objectStore.list',
    'objectStore.delete',
    'objectStore.abortUpload',
    'rpc.DownloadAdapter.message',
  ],
  aggregator: [
    'objectStore.get',
    'objectStore.put',
    'objectStore.head',
    'rpc.ClaimTask',
    'rpc.RenewTask',
    'rpc.CompleteTask',
  ],
  agent: [
    'rpc.Enrol',
    'rpc.AwaitAssignment',
    'rpc.OpenUpload',
    'rpc.CommitUpload',
    'rpc.GetUpload',
    'rpc.UploadUpdate',
    'rpc.UploadUpdate.message',
    'rpc.DownloadAdapter',
    'rpc.ReportProgress',
    'disk.rename',
    'disk.remove',
    'disk.writeFile',
    'disk.syncFile',
    'disk.sync',
    'trainer.train',
  ],
};

/** Calls beyond the nth are seldom made in a run this small. */
const NTH_MAX: Readonly<Record<string, number>> = {
  'roundStore.commit': 40,
  'roundStore.offer': 30,
  'roundStore.readInbox': 40,
  'roundStore.readFields': 40,
  'roundStore.readReply': 40,
  'roundStore.renewLease': 8,
  'objectStore.get': 10,
  'objectStore.read': 10,
  'disk.writeFile': 20,
  'disk.sync': 10,
  'disk.remove': 20,
};
const NTH_MAX_OTHERS = 5;

/** Everything of a seed's run, drawn from the seed alone. */
export function drawPlan(seed: number): FaultPlan {
  const random = createSeededRandom(seed);
  const world = drawWorld(random);
  if (random() < POISON_SHARE) return { version: 1, seed, world, faults: drawPoison(random) };
  const count = between(random, 0, FAULTS_MAX);
  return { version: 1, seed, world, faults: Array.from({ length: count }, () => drawFault(random, world)) };
}

function drawWorld(random: () => number): WorldPlan {
  const agents = between(random, 3, 5);
  const goal = between(random, 2, agents);
  return {
    agents,
    rounds: 2,
    goal,
    minimum: between(random, 1, goal),
    overSelection: oneOf(random, [1, 1, 1.3, 2]),
    late: oneOf(random, ['refuse', 'carry']),
    latencyMsMax: oneOf(random, [0, 2, 20, 100]),
  };
}

/** Kills whoever comes near the end of a task, again and again. */
function drawPoison(random: () => number): readonly PlannedFault[] {
  const first = between(random, 1, 4);
  return Array.from({ length: between(random, 3, POISON_KILLS_MAX) }, (_, index) => ({
    kind: 'passing',
    host: null,
    point: 'objectStore.put',
    nth: first + index,
    fault: { kind: 'crashHere', side: 'before', downMs: between(random, 100, 2_000) },
  }));
}

function drawFault(random: () => number, world: WorldPlan): PlannedFault {
  if (random() < 0.35) {
    return { kind: 'at', atMs: between(random, 0, STRIKES_WITHIN_MS), fault: drawWorldFault(random, world) };
  }
  const role = oneOf(random, ['orchestrator', 'orchestrator', 'orchestrator', 'aggregator', 'agent', 'agent'] as const);
  const point = oneOf(random, POINTS[role]);
  const host = random() < 0.5 ? null : drawHost(random, role, world);
  const nth = between(random, 1, NTH_MAX[point] ?? NTH_MAX_OTHERS);
  const fault = random() < 0.75 ? drawCallFault(random, point) : drawWorldFault(random, world);
  return { kind: 'passing', host, point, nth, fault };
}

const drawHost = (random: () => number, role: keyof typeof POINTS, world: WorldPlan): string => {
  switch (role) {
    case 'orchestrator':
      return oneOf(random, ORCHESTRATORS);
    case 'aggregator':
      return oneOf(random, AGGREGATORS);
    case 'agent':
      return agentName(between(random, 0, world.agents - 1));
  }
};

/** A disk and a trainer are no network: nothing that was asked of them comes twice or late. */
const isLocal = (point: string): boolean => point.startsWith('disk.') || point.startsWith('trainer.');

function drawCallFault(random: () => number, point: string): CallFault {
  const kinds = isLocal(point)
    ? (['crashHere', 'crashHere', 'pauseHere', 'lostRequest', 'lostReply'] as const)
    : (['crashHere', 'crashHere', 'pauseHere', 'lostRequest', 'lostReply', 'slowCall', 'repeatedCall'] as const);
  const kind = oneOf<CallFault['kind']>(random, kinds);
  switch (kind) {
    case 'crashHere':
      return { kind, side: oneOf(random, ['before', 'sent', 'after'] as const), downMs: between(random, 100, 15_000) };
    case 'pauseHere':
      return { kind, side: oneOf(random, ['before', 'sent'] as const), ms: between(random, 500, 15_000) };
    case 'lostRequest':
    case 'lostReply':
      return { kind };
    case 'slowCall':
      return { kind, way: oneOf(random, ['there', 'back'] as const), ms: between(random, 100, 12_000) };
    case 'repeatedCall':
      return { kind, afterMs: between(random, 1, 20_000) };
  }
}

function drawWorldFault(random: () => number, world: WorldPlan): WorldFault {
  const anyHost = (): string =>
    drawHost(random, oneOf(random, ['orchestrator', 'orchestrator', 'aggregator', 'agent'] as const), world);
  const store = (): StoreName => oneOf(random, ['roundStore', 'objectStore'] as const);
  const ms = (): number => between(random, 500, 12_000);
  const kind = oneOf(random, [
    'crash',
    'crash',
    'pause',
    'pause',
    'storeAway',
    'storeFull',
    'storeSlow',
    'roundStoreLost',
    'roundStoreLost',
    'roundStoreRolledBack',
    'leasesLost',
    'diskFull',
    'cutOff',
    'operator',
  ] as const);
  switch (kind) {
    case 'crash':
      return { kind, host: anyHost(), downMs: between(random, 100, 15_000) };
    case 'pause':
    case 'cutOff':
      return { kind, host: anyHost(), ms: ms() };
    case 'diskFull':
      return { kind, host: drawHost(random, 'agent', world), ms: ms() };
    case 'storeAway':
    case 'storeFull':
      return { kind, store: store(), ms: ms() };
    case 'storeSlow':
      return { kind, store: store(), ms: ms(), latencyMs: between(random, 50, 1_500) };
    case 'roundStoreLost':
    case 'leasesLost':
      return { kind };
    case 'roundStoreRolledBack':
      return { kind, ms: between(random, 50, 4_000) };
    case 'operator':
      return { kind, act: oneOf(random, ['pause', 'pause', 'resume', 'retry', 'cancel'] as const) };
  }
}
