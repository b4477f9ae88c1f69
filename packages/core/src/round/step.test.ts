import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { acceptedUpdates } from './documents/ledger-of.ts';
import type { LedgerUpdate } from './documents/round-ledger.ts';
import { checkInvariants, checkTransition } from './invariants.ts';
import { lastRound } from './published-round.ts';
import { type Draw, randomEvent } from './random-event.ts';
import type { RoundEvent } from './round-event.ts';
import type { RoundState } from './round-state.ts';
import { decodeState, diffState, encodeState } from './state-fields.ts';
import { type StepResult, step } from './step.ts';
import { wakeAtMs } from './wake-at.ts';

/** `FC_SEED=<seed>` repeats a run of these tests; `FC_RUNS=<n>` draws more scenarios. */
const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31);
const parameters = { seed, numRuns: Number(process.env['FC_RUNS'] ?? 100) };
console.log(`FC_SEED=${seed}`);

const draws = (weights: Readonly<Record<Draw['verb'], number>>, maxLength: number): fc.Arbitrary<Draw[]> =>
  fc.array(
    fc.record({
      verb: fc.oneof(
        ...Object.entries(weights).map(([verb, weight]) => ({ weight, arbitrary: fc.constant(verb as Draw['verb']) })),
      ),
      a: fc.nat(1000),
      b: fc.nat(1000),
      passedMs: fc.oneof({ weight: 9, arbitrary: fc.nat(50) }, { weight: 1, arbitrary: fc.nat(12_000) }),
    }),
    { minLength: maxLength / 4, maxLength, size: 'max' },
  );
const hostile = draws(
  {
    natural: 30,
    repeat: 5,
    ready: 1,
    enrol: 1,
    report: 3,
    update: 4,
    task: 3,
    claim: 2,
    effect: 2,
    trouble: 1,
    operator: 2,
    recover: 1,
    tick: 1,
  },
  160,
);
const monotone = draws(
  {
    natural: 30,
    repeat: 0,
    ready: 2,
    enrol: 2,
    report: 2,
    update: 2,
    task: 2,
    claim: 1,
    effect: 1,
    trouble: 1,
    operator: 1,
    recover: 1,
    tick: 1,
  },
  120,
);

interface Moment {
  readonly before: RoundState | null;
  readonly event: RoundEvent;
  readonly result: StepResult;
}

function play(
  scenario: readonly Draw[],
  look: (moment: Moment) => void,
): { readonly state: RoundState | null; readonly events: readonly RoundEvent[] } {
  const events: RoundEvent[] = [];
  let state: RoundState | null = null;
  let atMs = 1_000_000;
  for (const draw of scenario) {
    atMs += draw.passedMs;
    const event = randomEvent(draw, state, atMs, events);
    const result = step(state, event);
    look({ before: state, event, result });
    events.push(event);
    state = result.state;
  }
  return { state, events };
}

const encoded = (state: RoundState | null): readonly (readonly [string, string])[] =>
  state === null ? [] : [...encodeState(state)].sort();

test('invariants hold after every event, in any order, repeated and late', () => {
  fc.assert(
    fc.property(hostile, (scenario) => {
      play(scenario, ({ before, result: { state } }) => {
        if (state === null) return;
        assert.deepEqual(checkInvariants(state), []);
        if (before !== null) assert.deepEqual(checkTransition(before, state), []);
      });
    }),
    parameters,
  );
});

/** Otherwise the properties would hold for want of anything that happens. The seed is fixed: this is about the scenarios, not the machine. */
test('random scenarios reach every end and every refusal that matters', () => {
  const reached = new Map<string, number>();
  const count = (what: string): void => void reached.set(what, (reached.get(what) ?? 0) + 1);
  fc.assert(
    fc.property(hostile, (scenario) => {
      play(scenario, ({ before, event, result: { state, reply } }) => {
        if (reply.kind === 'refusal') count(reply.reason);
        if (before?.phase.kind === 'collecting' && state?.phase.kind === 'recruiting') count('reopened');
        if (before !== null && before.round !== state?.round) count('next round');
        if (before === null || state === null) return;
        if (before.phase.kind === 'settled' && state.phase.kind !== 'settled') count('retried');
        if (before.phase.kind !== 'settled' && state.phase.kind === 'settled') count(state.phase.outcome);
        if (state.troubles.size > before.troubles.size) count('troubled');
        if (state.carried.size > before.carried.size) count(`carried in ${state.spec.cohort.late}`);
        if (lastRound(state) > lastRound(before)) count('rolled-back');
        if (event.kind === 'effectDone') count(event.outcome.kind);
        if (event.kind === 'runRecovered' && state !== before && reply.kind === 'done')
          count(state.round > before.round ? 'skipped' : 'adopted');
        if (event.kind === 'updateStored' && reply.kind === 'updateAccepted' && reply.round > event.round)
          count('late-accepted');
        if ('handout' in event && (before.cohort.get(event.agentId)?.assignment.handout ?? 0) > event.handout)
          count('overtaken');
        for (const [taskId, { progress, lapses, attempt }] of state.tasks) {
          const was = before.tasks.get(taskId);
          if (progress.kind === 'held' && was?.progress.kind !== 'held') count('held');
          if (was === undefined || was.attempt !== attempt) continue;
          if (lapses.length > was.lapses.length) count('lapsed');
          if (lapses.length < was.lapses.length) count('came-back');
          if (event.kind === 'taskClaimed' && reply.kind === 'taskGranted' && reply.task.taskId === taskId)
            count('same-claim');
        }
      });
    }),
    { seed: 42, numRuns: 300 },
  );
  const wanted =
    'completed failed cancelled reopened late alreadyAccepted notAssigned rankOutOfRange badNumber leaseLost badTensor wrongPhase runExists unknownAgent unknownRound unknownTask retried troubled overtaken held lapsed same-claim came-back rolled-back skipped adopted late-accepted updatesReconciled ledgerFound forkPublished standingFound roundSwept';
  const missing = [...wanted.split(' '), 'carried in refuse', 'carried in carry'].filter((what) => !reached.has(what));
  assert.deepEqual(missing, [], JSON.stringify(Object.fromEntries(reached)));
  assert.ok(reached.get('next round')! > 300, `only ${reached.get('next round')} rounds were published`);
});

/** The digests of each round's ledger: the one that stands in the object store once tasks are under way, or that a recovery brings. */
function noteLedgers(ledgers: Map<number, readonly string[]>, { before, event, result: { state } }: Moment): void {
  if (state === null) return;
  const isSkipped = event.kind === 'runRecovered' && before !== null && state.published.size > before.published.size;
  for (const { round, updates } of isSkipped ? event.ledgers : [])
    ledgers.set(
      round,
      updates.map(({ digest }) => digest),
    );
  if (state.phase.kind === 'aggregating' && state.phase.stage.kind === 'runningTasks')
    ledgers.set(
      state.round,
      acceptedUpdates(state).map(({ digest }) => digest),
    );
}

test('an acknowledged update counts in exactly one round, whatever is found, carried over, rolled back or recovered', () => {
  fc.assert(
    fc.property(hostile, (scenario) => {
      const acknowledged = new Set<string>();
      const ledgers = new Map<number, readonly string[]>();
      const { state } = play(scenario, (moment) => {
        const { event, result } = moment;
        if (event.kind === 'updateStored' && result.reply.kind === 'updateAccepted')
          acknowledged.add(event.update.digest);
        noteLedgers(ledgers, moment);
      });
      if (state === null) return;
      const counted = [...ledgers.values()].flat();
      const open = ledgers.has(state.round) ? [] : acceptedUpdates(state).map(({ digest }) => digest);
      const held = [...counted, ...open, ...[...state.carried.values()].map(({ digest }) => digest)];
      for (const digest of acknowledged)
        assert.equal(held.filter((each) => each === digest).length, 1, `${digest} counts once`);
    }),
    parameters,
  );
});

test('a round holds nothing but what was told to it or stands in the object store', () => {
  fc.assert(
    fc.property(hostile, (scenario) => {
      const known = new Set<string>();
      play(scenario, ({ event, result: { state } }) => {
        if (event.kind === 'updateStored') known.add(event.update.digest);
        for (const { digest } of storedIn(event)) known.add(digest);
        if (state === null) return;
        const strange = acceptedUpdates(state).filter(({ digest }) => !known.has(digest));
        assert.deepEqual(strange, []);
      });
    }),
    parameters,
  );
});

function storedIn(event: RoundEvent): readonly LedgerUpdate[] {
  if (event.kind === 'runRecovered') return event.admitted;
  if (event.kind !== 'effectDone') return [];
  if (event.outcome.kind === 'updatesReconciled') return event.outcome.found;
  return event.outcome.kind === 'ledgerFound' ? event.outcome.updates : [];
}

test('the same events give the same state, also through the store', () => {
  fc.assert(
    fc.property(hostile, (scenario) => {
      const stored = new Map<string, string>();
      const { state, events } = play(scenario, ({ before, result }) => {
        if (result.state === null) return;
        const { put, drop } = diffState(before, result.state);
        for (const [field, text] of put) stored.set(field, text);
        for (const field of drop) assert.ok(stored.delete(field), `${field} was dropped and is not stored`);
        assert.deepEqual([...stored].sort(), encoded(result.state));
      });
      let replayed: RoundState | null = null;
      for (const event of events) {
        const next: RoundState | null = step(replayed, event).state;
        replayed = next === null ? null : decodeState(encodeState(next));
      }
      assert.deepEqual(encoded(replayed), encoded(state));
    }),
    parameters,
  );
});

test('an event that comes twice in a row changes nothing more, and its sender hears no more effects', () => {
  fc.assert(
    fc.property(hostile, (scenario) => {
      play(scenario, ({ before, event }) => {
        // Time moves the phase by itself: a refused event that brings a round's start would find another phase the second time.
        const onTime = step(before, { kind: 'ticked', atMs: event.atMs }).state;
        const once = step(onTime, event);
        const twice = step(once.state, event);
        assert.deepEqual(encoded(twice.state), encoded(once.state), event.kind);
        assert.deepEqual(twice.emitted, []);
        if (once.reply.kind === 'updateAccepted' || once.reply.kind === 'taskGranted')
          assert.deepEqual(twice.reply, once.reply);
      });
    }),
    parameters,
  );
});

test('wakeAtMs is the first time at which a tick changes something', () => {
  let wakes = 0;
  fc.assert(
    fc.property(monotone, fc.nat(1000), (scenario, share) => {
      play(scenario, ({ event: { atMs }, result: { state } }) => {
        if (state === null) return;
        const wakeMs = wakeAtMs(state);
        const isQuietAt = (tickMs: number): boolean => step(state, { kind: 'ticked', atMs: tickMs }).state === state;
        if (wakeMs === null)
          return assert.ok(isQuietAt(atMs + share * 1_000_000), 'a tick changes a state that waits for no time');
        wakes += 1;
        assert.ok(wakeMs > atMs, `the next wake is ${wakeMs}, not after the event at ${atMs}`);
        assert.ok(isQuietAt(wakeMs - 1), 'a tick before the wake changes something');
        assert.ok(
          isQuietAt(atMs + Math.floor(((wakeMs - 1 - atMs) * share) / 1000)),
          'a tick between changes something',
        );
        assert.ok(!isQuietAt(wakeMs), 'a tick at the wake changes nothing');
      });
    }),
    parameters,
  );
  assert.ok(wakes > 0, 'no state waited for a time');
});

test('an event that changes nothing gives the same object back', () => {
  fc.assert(
    fc.property(hostile, (scenario) => {
      play(scenario, ({ before, result }) => {
        if (before !== null && result.state !== null && result.state !== before)
          assert.notDeepEqual(encoded(result.state), encoded(before));
      });
    }),
    parameters,
  );
});
