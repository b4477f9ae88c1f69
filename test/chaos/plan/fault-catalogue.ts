/** What can be hit. */
export type ProcessTarget = 'leaseHolder' | 'otherOrchestrator' | 'workingAggregator' | 'anyAggregator' | 'agent';
export type StoreTarget = 'redis' | 'minio';
export type LinkTarget = 'agentLink' | 'aggregatorLink' | 'redisLink' | 'orchestratorStoreLink' | 'aggregatorStoreLink';
export type Target = ProcessTarget | StoreTarget | LinkTarget;

/**
 * What is done to it. `kill` is SIGKILL and a new start after a while, `pause` SIGSTOP for ten seconds, `restart` SIGTERM and a new start.
 * `rollBack` takes the last moments of what was written away, as a crash without fsync does. `fill` leaves no space.
 */
export type Action = 'kill' | 'pause' | 'restart' | 'flush' | 'rollBack' | 'fill' | 'cut' | 'delay';

/** A moment of a round, chosen so that something is on its way; `random` is any. */
export type Moment = 'download' | 'training' | 'upload' | 'commit' | 'aggregate' | 'publish' | 'random';

export interface Fault {
  readonly action: Action;
  readonly target: Target;
}

const on = (target: Target, ...actions: readonly Action[]): readonly Fault[] =>
  actions.map((action) => ({ action, target }));

/** Every fault that there is. */
export const FAULT_CATALOGUE: readonly Fault[] = [
  ...on('leaseHolder', 'kill', 'pause', 'restart'),
  ...on('otherOrchestrator', 'kill', 'pause', 'restart'),
  ...on('workingAggregator', 'kill', 'pause', 'restart'),
  ...on('anyAggregator', 'kill'),
  ...on('agent', 'kill', 'pause', 'restart'),
  ...on('redis', 'kill', 'pause', 'restart', 'flush', 'rollBack'),
  ...on('minio', 'kill', 'pause', 'restart', 'fill'),
  ...on('agentLink', 'cut', 'delay'),
  ...on('aggregatorLink', 'cut', 'delay'),
  ...on('redisLink', 'cut', 'delay'),
  ...on('orchestratorStoreLink', 'cut', 'delay'),
  ...on('aggregatorStoreLink', 'cut', 'delay'),
];

const ANY_MOMENT: readonly Moment[] = ['training', 'upload', 'commit', 'aggregate', 'publish', 'random'];

/** When a target is worth hitting: when it has something in hand. */
export const MOMENTS: Readonly<Record<Target, readonly Moment[]>> = {
  leaseHolder: ANY_MOMENT,
  otherOrchestrator: ANY_MOMENT,
  workingAggregator: ['aggregate'],
  anyAggregator: ['training', 'aggregate', 'random'],
  agent: ['download', 'training', 'upload', 'commit'],
  redis: ANY_MOMENT,
  minio: ['download', 'upload', 'commit', 'aggregate', 'publish', 'random'],
  agentLink: ['download', 'training', 'upload', 'commit'],
  aggregatorLink: ['aggregate', 'random'],
  redisLink: ANY_MOMENT,
  orchestratorStoreLink: ['download', 'upload', 'commit', 'publish'],
  aggregatorStoreLink: ['aggregate'],
};

/** A round whose trainings are held cannot go past these. */
export const isBeforeTrainingEnds = (moment: Moment): boolean => moment === 'download' || moment === 'training';

/** How long it is kept away, in milliseconds: least and most. */
export const AWAY_MS: Readonly<Record<Action, readonly [number, number]>> = {
  kill: [500, 4_000],
  pause: [10_000, 10_000],
  restart: [0, 0],
  flush: [0, 0],
  // What it loses, rather: Redis writes its file out once a second.
  rollBack: [1_000, 1_500],
  fill: [4_000, 8_000],
  cut: [2_000, 10_000],
  delay: [4_000, 8_000],
};
