import type { RunAccount } from '../run-under-faults.ts';
import { LEASE_MS } from '../world/chaos-run-spec.ts';
import { auditUpdates, type Miscount } from './audit-updates.ts';
import { TAKEOVER_SLACK_MS, takeoverMs } from './check-takeover.ts';

export interface Verdict {
  readonly miscounts: readonly Miscount[];
  /** What did not hold, in sentences; empty when everything did. */
  readonly failures: readonly string[];
}

/** Everything that must hold of a disturbed run. */
export function checkRun(disturbed: RunAccount, calm: RunAccount): Verdict {
  const miscounts = auditUpdates(
    [...disturbed.acknowledgements, ...disturbed.receipts],
    disturbed.published,
    (agentId, round) => madeBy(disturbed, agentId, round),
  );
  const failures = [
    ...(calm.whyNotCompleted === null ? [] : [`the undisturbed run did not complete: ${calm.whyNotCompleted}`]),
    ...(disturbed.whyNotCompleted === null ? [] : [`the run did not complete: ${disturbed.whyNotCompleted}`]),
    ...miscounts.map(({ what, why }) => `${what === 'lost' ? 'lost' : 'counted twice'}: ${why}`),
    ...differingAdapters(disturbed, calm),
    ...lateTakeovers(disturbed),
    ...notWhole(disturbed),
    ...needlessTrainings(disturbed),
    ...agentsThatGaveUp(disturbed),
    ...disturbed.missed.map(
      ({ number, action, target, moment }) =>
        `fault ${number} (${action} ${target}) did not come: its moment (${moment}) was not seen`,
    ),
  ];
  return { miscounts, failures };
}

const madeBy = ({ trainings }: RunAccount, agentId: string, round: number): ReadonlySet<string> =>
  new Set(
    (trainings.get(agentId) ?? []).flatMap((line) =>
      line.round === round && line.update !== undefined ? [line.update] : [],
    ),
  );

function differingAdapters(disturbed: RunAccount, calm: RunAccount): readonly string[] {
  const rounds = Math.max(disturbed.published.length, calm.published.length);
  const first = Array.from({ length: rounds }, (_, round) => round).find(
    (round) => disturbed.published[round]?.adapterDigest !== calm.published[round]?.adapterDigest,
  );
  if (first === undefined) return [];
  const digests = [disturbed, calm].map(({ published }) => published[first]?.adapterDigest ?? 'none');
  return [
    `from round ${first} on the adapters are not the undisturbed run's: ${digests[0]}, undisturbed ${digests[1]}`,
  ];
}

function lateTakeovers({ faults, leases }: RunAccount): readonly string[] {
  return faults.flatMap((fault) => {
    const ms = takeoverMs(fault, faults, leases);
    return ms === null || ms <= LEASE_MS + TAKEOVER_SLACK_MS
      ? []
      : [
          `fault ${fault.planned.number} (${fault.hit}): the run was taken over after ${ms} ms; allowed: ${LEASE_MS + TAKEOVER_SLACK_MS}`,
        ];
  });
}

const notWhole = ({ faults }: RunAccount): readonly string[] =>
  faults
    .filter(({ wholeAtMs }) => wholeAtMs === null)
    .map(({ planned, hit, waitedFor }) => `fault ${planned.number} (${hit}): not whole in time: ${waitedFor}`);

/** Whoever was told that an update is in a round has nothing to train for it any more. */
function needlessTrainings({ trainings, acknowledgements }: RunAccount): readonly string[] {
  return [...trainings].flatMap(([agentId, lines]) =>
    lines
      .filter(
        ({ what, round, atMs }) =>
          what === 'began' &&
          acknowledgements.some((told) => told.agentId === agentId && told.round === round && told.atMs < atMs),
      )
      .map(({ round }) => `${agentId} trained round ${round} again after its update was acknowledged`),
  );
}

/** Other services may end when they cannot begin, and are started again; an agent waits. */
const agentsThatGaveUp = ({ endings }: RunAccount): readonly string[] =>
  endings
    .filter(({ service }) => service.startsWith('agent-'))
    .map(({ service, end }) => `${service} ended by itself (${end})`);
