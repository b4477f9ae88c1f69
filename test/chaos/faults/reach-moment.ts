import { Phase } from '@flexlora/contracts/run/v1/run_service';
import type { FaultProxy } from '../../harness/proxy/fault-proxy.ts';
import { isBeforeTrainingEnds, type Moment } from '../plan/fault-catalogue.ts';
import type { PlannedFault } from '../plan/plan-faults.ts';
import type { AgentStage } from '../world/run-watch.ts';
import type { World } from '../world/world.ts';

/** Where a fault found the run: with something on its way, which stays on its way until `letGo`. */
export interface Reached {
  readonly round: number;
  readonly moment: Moment;
  /** For people: in what the run was hit. */
  readonly when: string;
  letGo(): void;
}

/** A moment comes within this, or not at all: then something is stuck, and the caller says so. */
export const MOMENT_MS_MAX = 120_000;

/** Of a download, before it is held: most of the adapter is still to come. */
const DOWNLOADED_BYTES = 128 << 10;
/** Of an upload: less than the smallest update. */
const UPLOADED_BYTES = 512 << 10;

/**
 * Waits for the moment of a fault, in its round or a later one. In the last round it waits for a training instead, and no training ends
 * before all faults have come: what is missed there does not come again. Null when the run ended, or the time passed, before it came.
 *
 * Moments last milliseconds. So that a fault hits them, the proxies hold the link on which the moment shows: an agent's bytes half-way,
 * the answer to its commit, the first bytes of an aggregator's task, the manifest on its way to the store.
 */
export async function reachMoment(
  world: World,
  fault: PlannedFault,
  who: Who,
  rounds: number,
): Promise<Reached | null> {
  const { watch } = world;
  const until = Date.now() + MOMENT_MS_MAX;
  for (let at = Math.max(fault.round, watch.round()); !watch.isSettled(); at = Math.max(at + 1, watch.round())) {
    const last = Math.min(at, rounds);
    const moment = last === rounds ? 'training' : fault.moment;
    world.letThrough(isBeforeTrainingEnds(moment) ? last - 1 : last);
    const left = until - Date.now();
    if (left <= 0 || !(await watch.until(() => watch.round() >= last || watch.isSettled(), left))) return null;
    if (watch.isSettled()) return null;
    const reached = await reachIn(world, { ...fault, moment }, who, watch.round(), until);
    if (reached !== null) return reached;
  }
  return null;
}

/** Whose download, training, upload or commit it is, and whose task. */
export interface Who {
  readonly agentId: string;
  readonly aggregatorId: string;
}

/** Null when the round was over before the moment came. */
async function reachIn(
  world: World,
  { moment, afterMs }: PlannedFault,
  { agentId, aggregatorId }: Who,
  round: number,
  untilMs: number,
): Promise<Reached | null> {
  const { watch, links } = world;
  const transfer = links.of(agentId, 'agentTransferLink').map(({ proxy }) => proxy);
  const task = links.of(aggregatorId, 'aggregatorStoreLink').map(({ proxy }) => proxy);
  const store = world.orchestrators
    .flatMap(({ name }) => links.of(name, 'orchestratorStoreLink'))
    .map(({ proxy }) => proxy);
  const stage = (): Stage => {
    const now = watch.stageOf(agentId);
    return now?.round === round ? now.stage : null;
  };
  const isOver = (): boolean => watch.round() > round || watch.isSettled();
  const hold = (proxies: readonly FaultProxy[], direction: 'toServer' | 'toClient', bytes: number): void => {
    for (const proxy of proxies) proxy.holdAfter(direction, bytes);
  };
  const isHeld = (proxies: readonly FaultProxy[], direction: 'toServer' | 'toClient'): boolean =>
    proxies.some((proxy) => proxy.isHolding(direction));
  const letGo = (): void => {
    for (const proxy of [...transfer, ...task, ...store]) proxy.letGo();
  };
  const wait = async (isThere: () => boolean, when: string, isPast = isOver): Promise<Reached | null> => {
    await watch.until(() => isThere() || isPast(), Math.max(0, untilMs - Date.now()));
    if (isThere() && !isPast()) return { round: watch.round(), moment, when, letGo };
    letGo();
    return null;
  };

  switch (moment) {
    case 'download':
      if (hasBegun(stage())) return null;
      hold(transfer, 'toClient', DOWNLOADED_BYTES);
      return wait(
        () => isHeld(transfer, 'toClient'),
        `${agentId} downloads`,
        () => isOver() || hasBegun(stage()),
      );
    case 'training':
      return wait(
        () => stage() === 'training',
        `${agentId} trains`,
        () => isOver() || hasTrained(stage()),
      );
    case 'upload':
      if (hasSent(stage())) return null;
      hold(transfer, 'toServer', UPLOADED_BYTES);
      return wait(() => isHeld(transfer, 'toServer'), `${agentId} uploads`);
    case 'commit': {
      if (hasSent(stage())) return null;
      const isSent = await wait(() => hasSent(stage()), '');
      if (isSent === null) return null;
      hold(transfer, 'toClient', 0);
      return wait(() => isHeld(transfer, 'toClient') || stage() === 'accepted', `${agentId} commits`);
    }
    case 'aggregate':
      if (watch.tasksCompleted(round) > 0) return null;
      hold(task, 'toClient', 0);
      return wait(
        () => isHeld(task, 'toClient') && watch.run()?.phase === Phase.AGGREGATING,
        `${aggregatorId} has a task`,
      );
    case 'publish': {
      const missing = (): number => (watch.run()?.tasksTotal || Number.POSITIVE_INFINITY) - watch.tasksCompleted(round);
      if ((await wait(() => missing() <= 1, '')) === null) return null;
      hold(store, 'toServer', 0);
      return wait(() => isHeld(store, 'toServer') && missing() === 0, 'the manifest is written');
    }
    case 'random': {
      // Also when the round is over by then: the next one waits with its trainings.
      const atMs = watch.roundBeganAtMs() + afterMs;
      return wait(() => Date.now() >= atMs, `${(afterMs / 1000).toFixed(1)} s into the round`, watch.isSettled);
    }
  }
}

type Stage = AgentStage['stage'] | null;
const hasSent = (stage: Stage): boolean => stage === 'sent' || stage === 'accepted';
const hasTrained = (stage: Stage): boolean => stage === 'trained' || stage === 'uploading' || hasSent(stage);
const hasBegun = (stage: Stage): boolean => stage === 'training' || hasTrained(stage);
