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

/** What happened to a part of the fleet: all counts so far, and the acknowledgements since it was told last. */
export type FleetNews = FleetTally;

export interface FleetRecorder {
  /** A copy that another thread can be given. */
  news(): FleetNews;
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
  const activities = noActivities();
  let acknowledgements: Acknowledgement[] = [];
  const heard = new Set<string>();
  const retried: Record<string, number> = {};
  const refused: Record<string, number> = {};
  const counts = { enrolled: 0, failed: 0, vanished: 0, killed: 0 };

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
    news: () => {
      const told = acknowledgements;
      acknowledgements = [];
      return {
        ...counts,
        activities: { ...activities },
        retried: { ...retried },
        refused: { ...refused },
        acknowledgements: told,
      };
    },
    agent,
  };
}

/** What several parts of a fleet counted, together. */
export function tallyOf(parts: readonly FleetTally[]): FleetTally {
  const total = (of: (part: FleetTally) => number): number => parts.reduce((sum, part) => sum + of(part), 0);
  return {
    activities: sumByName(
      noActivities(),
      parts.map((part) => part.activities),
    ),
    enrolled: total(({ enrolled }) => enrolled),
    acknowledgements: parts.flatMap((part) => part.acknowledgements),
    retried: sumByName(
      {},
      parts.map((part) => part.retried),
    ),
    refused: sumByName(
      {},
      parts.map((part) => part.refused),
    ),
    failed: total(({ failed }) => failed),
    vanished: total(({ vanished }) => vanished),
    killed: total(({ killed }) => killed),
  };
}

const noActivities = (): Record<Activity, number> => ({
  starting: 0,
  waiting: 0,
  downloading: 0,
  training: 0,
  uploading: 0,
  away: 0,
  ended: 0,
});

function sumByName<Counts extends Record<string, number>>(
  into: Counts,
  parts: readonly Readonly<Record<string, number>>[],
): Counts {
  const sums: Record<string, number> = into;
  for (const part of parts) for (const [name, count] of Object.entries(part)) sums[name] = (sums[name] ?? 0) + count;
  return into;
}
