import { ledgerObjectName } from '../object-names.ts';
import { refuse } from '../refusal.ts';
import { type Answer, answer, done, withEffect } from './answer.ts';
import { adoptLedger, releaseMembers, takeFound, writeLedger } from './close-round.ts';
import { carryOver, countUpdate, withReceipts } from './count-update.ts';
import { acceptedUpdates } from './documents/ledger-of.ts';
import { beginRound } from './next-round.ts';
import { persistentMap, withoutEntry } from './persistent-map.ts';
import type { RoundEvent } from './round-event.ts';
import type { RoundState } from './round-state.ts';
import { outlivesRun } from './settle.ts';
import { adoptStanding } from './standing.ts';

type RunRecovered = Extract<RoundEvent, { kind: 'runRecovered' }>;

/**
 * The object store and a state that exists: whichever is ahead is right. Agents stay, with what they were told.
 *
 * | the object store holds                   | then                                                                               |
 * |------------------------------------------|------------------------------------------------------------------------------------|
 * | more published rounds                    | the round after them opens; what this state accepted beside their ledgers is carried over |
 * | a ledger of the round that is still open | the round is made of that, and so is what this state accepted beside it            |
 * | a newer standing                         | the run is paused, or has ended, as that says                                      |
 * | updates of the open round, verified      | they count: their agents were told so, or are about to be                          |
 * | no more than the state                   | nothing                                                                            |
 * | anything, and the run is over            | nothing                                                                            |
 */
export function adoptRecovery(state: RoundState, event: RunRecovered): Answer {
  const { atMs, standing, published, ledgers } = event;
  // What an operator ended stays so, though a manifest that was on its way came to stand.
  if (isOver(state)) return done(state);
  const isAhead = published.length > state.published.size;
  const unseen = isAhead ? published.slice(state.round) : [];
  const unread = unseen.find(({ round, rolledBackTo }) => {
    return round > 0 && rolledBackTo === null && !ledgers.some((ledger) => ledger.round === round);
  });
  if (unread !== undefined) {
    return answer(
      state,
      refuse(
        'unknownRound',
        `${ledgerObjectName(state.spec.runId, unread.round)} is missing, and the state has round ${state.round} open; allowed: the ledger of every published round from there on: restore it from a backup`,
      ),
    );
  }
  const current = isAhead
    ? skipTo(state, event)
    : hasLedger(state, event)
      ? closeBy(state, event)
      : takeAdmitted(state, event);
  const isNewer = standing !== null && standing.sequence > state.standingSequence;
  return done(isNewer ? adoptStanding(current, standing, atMs) : current);
}

/** The round after the published ones of `state`, as the object store holds it. */
export function openRoundOf(state: RoundState, event: RunRecovered): RoundState {
  const { admitted, openRound, atMs } = event;
  const open = beginRound(state, atMs);
  if (open.phase.kind === 'settled') return open;
  const whole = admitted.reduce((round, update) => {
    return round.cohort.has(update.agentId) ? round : countUpdate(round, update, atMs);
  }, open);
  return openRound === 'closed' ? closeBy(whole, event) : whole;
}

const isOver = ({ phase }: RoundState): boolean => phase.kind === 'settled' && phase.outcome !== 'failed';

function skipTo(state: RoundState, event: RunRecovered): RoundState {
  const summed = new Set(
    event.ledgers.flatMap(({ updates }) => updates.map(({ agentId, digest }) => `${agentId} ${digest}`)),
  );
  const isSummed = (agentId: string, digest: string): boolean => summed.has(`${agentId} ${digest}`);
  let behind = event.ledgers.reduce(withReceipts, releaseMembers(state));
  for (const { agentId, ...update } of acceptedUpdates(state)) {
    if (!isSummed(agentId, update.digest)) behind = carryOver(behind, agentId, update);
  }
  for (const [agentId, { digest }] of state.carried) {
    if (isSummed(agentId, digest)) behind = { ...behind, carried: withoutEntry(behind.carried, agentId) };
  }
  const swept = event.published
    .slice(state.round)
    .reduce((left, { round }) => withEffect(left, { kind: 'sweepRound', round }), withoutRound(behind));
  return openRoundOf(
    {
      ...swept,
      published: new Map(
        event.published.map((summary) => [summary.round, state.published.get(summary.round) ?? summary]),
      ),
    },
    event,
  );
}

/** The ledger is written already; asking for it once more says under which digest. */
function closeBy(state: RoundState, { admitted, carried, atMs }: RunRecovered): RoundState {
  const closed = carried.reduce(
    (next, { agentId, ...update }) => {
      return next.carried.has(agentId) ? next : carryOver(next, agentId, update);
    },
    adoptLedger(withoutRound(state), admitted, atMs),
  );
  return writeLedger(closed, atMs);
}

/** Before the round closes they would be found anyway; their agents need not train again until then. */
function takeAdmitted(state: RoundState, { published, admitted, atMs }: RunRecovered): RoundState {
  const { phase } = state;
  const isOpen = phase.kind === 'recruiting' || phase.kind === 'collecting';
  if (!isOpen || published.length !== state.published.size) return state;
  return admitted.reduce((open, update) => takeFound(open, update, atMs), state);
}

function hasLedger({ phase, published }: RoundState, { openRound, ...event }: RunRecovered): boolean {
  if (openRound !== 'closed' || event.published.length !== published.size) return false;
  if (phase.kind === 'aggregating') return phase.stage.kind === 'reconciling';
  return phase.kind === 'recruiting' || phase.kind === 'collecting';
}

/** Nothing is under way for the open round any more. */
function withoutRound(state: RoundState): RoundState {
  const effects = persistentMap([...state.effects].filter(([, effect]) => outlivesRun(effect)));
  const troubles = new Map([...state.troubles].filter(([id]) => effects.has(id)));
  return { ...state, tasks: persistentMap(), effects, troubles };
}
