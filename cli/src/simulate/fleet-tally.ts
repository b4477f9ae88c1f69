import type { AgentEvent } from '@flexlora/client-agent';
import type { Acknowledgement } from './audit.ts';

/** What a virtual agent does at this moment. */
export type Activity = 'starting' | 'waiting' | 'downloading' | 'training' | 'uploading' | 'away' | 'ended';

export const ACTIVITIES: readonly Activity[] = [
  'starting',
  'waiting',
  'downloading',
  'training',
  'uploading',
  'away',
  'ended',
];

/** What happened to the fleet so far. */
export interface FleetTally {
  readonly activities: Readonly<Record<Activity, number>>;
  /** Agents that enrolled at least once. */
  readonly enrolled: number;
  readonly acknowledgements: readonly Acknowledgement[];
  /** Calls that were tried again, by what they were for. */
  readonly retried: Readonly<Record<string, number>>;
  /** Updates and enrolments that were refused, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Assignments that the agents themselves gave up, and those that ended in the way of a trace. */
  readonly failed: number;
  readonly vanished: number;
  readonly killed: number;
}

export interface FleetRecorder {
  readonly tally: FleetTally;
  /** Resolves when so many agents have enrolled. */
  untilEnrolled(count: number): Promise<void>;
  /** One of these an agent, for its whole life. */
  agent(agentId: string): AgentRecorder;
}

export interface AgentRecorder {
  /** What the real agent tells. */
  hear(event: AgentEvent): void;
  /** The device is gone for a while: its trace says so. */
  leave(why: 'away' | 'vanished' | 'killed'): void;
  comeBack(): void;
}

export function createFleetRecorder(): FleetRecorder {
  const activities: Record<Activity, number> = {
    starting: 0,
    waiting: 0,
    downloading: 0,
    training: 0,
    uploading: 0,
    away: 0,
    ended: 0,
  };
  const acknowledgements: Acknowledgement[] = [];
  const heard = new Set<string>();
  const retried: Record<string, number> = {};
  const refused: Record<string, number> = {};
  const counts = { enrolled: 0, failed: 0, vanished: 0, killed: 0 };
  const awaited: { readonly count: number; readonly resolve: () => void }[] = [];

  /** A device that goes away before it has forgotten its update sends it again, and hears the same once more. */
  const acknowledge = (acknowledgement: Acknowledgement): void => {
    const key = `${acknowledgement.agentId}/${acknowledgement.sha256}/${acknowledgement.countsIn}`;
    if (heard.has(key)) return;
    heard.add(key);
    acknowledgements.push(acknowledgement);
  };

  const agent = (agentId: string): AgentRecorder => {
    let now: Activity = 'starting';
    let hasEnrolled = false;
    activities.starting += 1;
    const become = (activity: Activity): void => {
      activities[now] -= 1;
      activities[activity] += 1;
      now = activity;
    };
    const enrol = (): void => {
      become('waiting');
      if (hasEnrolled) return;
      hasEnrolled = true;
      counts.enrolled += 1;
      for (const { count, resolve } of awaited) if (count <= counts.enrolled) resolve();
    };
    return {
      hear: (event) => {
        switch (event.kind) {
          case 'enrolled':
            return enrol();
          case 'assigned':
          case 'downloading':
            return become('downloading');
          case 'training':
            return become('training');
          case 'trained':
          case 'uploading':
            return become('uploading');
          case 'accepted':
            acknowledge({ agentId, sha256: event.sha256, countsIn: event.countsIn });
            return become('waiting');
          case 'refused':
            refused[event.reason] = (refused[event.reason] ?? 0) + 1;
            return become('waiting');
          case 'failed':
          case 'declined':
            counts.failed += 1;
            return become('waiting');
          case 'retrying':
            retried[event.what] = (retried[event.what] ?? 0) + 1;
            return;
          case 'waiting':
            return become('waiting');
          case 'ended':
            return become('ended');
        }
      },
      leave: (why) => {
        become('away');
        if (why !== 'away') counts[why] += 1;
      },
      comeBack: () => become('starting'),
    };
  };

  return {
    tally: {
      activities,
      acknowledgements,
      retried,
      refused,
      get enrolled() {
        return counts.enrolled;
      },
      get failed() {
        return counts.failed;
      },
      get vanished() {
        return counts.vanished;
      },
      get killed() {
        return counts.killed;
      },
    },
    untilEnrolled: (count) =>
      new Promise((resolve) => {
        if (counts.enrolled >= count) resolve();
        else awaited.push({ count, resolve });
      }),
    agent,
  };
}
