import {
  type AgentId,
  type CohortMember,
  decodeHead,
  decodeMember,
  HEAD_FIELD,
  memberField,
  openAssignment,
  type RunId,
} from '@flexlora/core';
import type { Clock, Logger } from '@flexlora/runtime';
import type { RoundStore } from '@flexlora/stores';
import {
  BEGINNING_SHARE_MAX,
  HANDOUTS_AT_ONCE,
  HANDOUTS_EVERY_MS,
  HEAD_AGE_MS_MAX,
  MEMBERS_READ_MAX,
  OCCASION_COALESCE_MS,
} from './limits.ts';
import type { RunHeadView, RunReader } from './run-reader.ts';
import type { RunSignals } from './run-signals.ts';
import { createWaitingRoom, type Seat, type WaitingRoom } from './waiting-room.ts';

/**
 * Tells waiting agents what became of their run: a hand-out for them, or its end. A run commits many times a second while updates come in,
 * and thousands of agents wait for it: the members of a round are read once for all who wait here, and only they are woken, most of
 * them to come back in a while: each begins a download. A run that has settled, or that nobody waits for, is followed no further.
 */
export interface RunOccasions {
  /**
   * Of a run that exists. Whoever takes a seat, then reads the agent's own fields, then waits misses nothing in between.
   */
  enter(runId: RunId, agentId: AgentId): Seat<RunNews>;
}

export interface RunNews {
  readonly head: RunHeadView;
  /** Of the agent of the seat. */
  readonly member: CohortMember | null;
  /** When the agent is to begin: a round of thousands does not in one second. */
  readonly afterMs: number;
}

/** What must change before an agent's own fields can have become an assignment. */
export const occasionOf = ({ round, phase, paused }: RunHeadView): string =>
  `${round} ${phase.kind} ${phase.sinceMs} ${paused === null}`;

/** Of the nth agent that is told of its hand-out. The turns begin again after a share of the round: nobody's begins at its end. */
function afterMsOf(nth: number, collectingMs: number): number {
  const turns = Math.max(1, Math.floor((collectingMs * BEGINNING_SHARE_MAX) / HANDOUTS_EVERY_MS));
  return (Math.floor(nth / HANDOUTS_AT_ONCE) % turns) * HANDOUTS_EVERY_MS;
}

export function createRunOccasions(deps: {
  readonly roundStore: RoundStore;
  readonly reader: RunReader;
  readonly signals: RunSignals;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stopping: AbortSignal;
}): RunOccasions {
  const { roundStore, reader, signals, clock, logger, stopping } = deps;
  type Room = WaitingRoom<AgentId, RunNews>;
  const rooms = new Map<RunId, Room>();
  const wakeRooms = (): void => {
    for (const room of rooms.values()) room.wakeAll();
  };
  // One listener, however many wait.
  stopping.addEventListener('abort', wakeRooms, { once: true });

  const tellMembers = async (runId: RunId, { spec }: RunHeadView, room: Room): Promise<void> => {
    const agentIds = room.present();
    let told = 0;
    for (let at = 0; at < agentIds.length; at += MEMBERS_READ_MAX) {
      const asked = agentIds.slice(at, at + MEMBERS_READ_MAX);
      const { values } = await roundStore.readFields(runId, [HEAD_FIELD, ...asked.map(memberField)]);
      const [headText, ...memberTexts] = values;
      if (headText === null || headText === undefined) return;
      // Of the same view as the members: the run may have gone on since the head that gave the occasion.
      const head = { ...decodeHead(headText), spec };
      asked.forEach((agentId, n) => {
        const text = memberTexts[n];
        if (text === null || text === undefined) return;
        const member = decodeMember(text);
        if (openAssignment(head, member) === null) return;
        room.tell(agentId, { head, member, afterMs: afterMsOf(told, spec.timing.collectingMs) });
        told += 1;
      });
    }
  };

  const tell = async (runId: RunId, head: RunHeadView, room: Room): Promise<void> => {
    if (head.phase.kind === 'settled')
      for (const agentId of room.present()) room.tell(agentId, { head, member: null, afterMs: 0 });
    if (head.phase.kind === 'collecting' && head.paused === null) await tellMembers(runId, head, room);
  };

  const follow = async (runId: RunId, room: Room): Promise<void> => {
    const commits = signals.committed(runId);
    let latest = '';
    while (!stopping.aborted && !room.isEmpty()) {
      const seen = commits.count;
      try {
        const head = await reader.readHead(runId);
        const occasion = head === null ? '' : occasionOf(head);
        if (head !== null && occasion !== latest) await tell(runId, head, room);
        latest = occasion;
        if (head?.phase.kind === 'settled') return;
      } catch (error) {
        logger.warn({ runId, err: error }, 'a run could not be read for those who wait; it is read again');
        await clock.sleep(HEAD_AGE_MS_MAX, stopping);
      }
      await commits.waitSince(seen, HEAD_AGE_MS_MAX, stopping);
      await clock.sleep(OCCASION_COALESCE_MS, stopping);
    }
  };

  const open = (runId: RunId): Room => {
    const room: Room = createWaitingRoom(clock);
    rooms.set(runId, room);
    // Begins in a later turn, when the first seat is taken.
    Promise.resolve()
      .then(() => follow(runId, room))
      .catch((error: unknown) => {
        if (!stopping.aborted) logger.error({ runId, err: error }, 'a run is no longer followed');
      })
      .finally(() => {
        rooms.delete(runId);
        // Who came since the last look waits for nobody: they look again, and take a seat that is served.
        room.wakeAll();
      });
    return room;
  };

  return { enter: (runId, agentId) => (rooms.get(runId) ?? open(runId)).enter(agentId) };
}
