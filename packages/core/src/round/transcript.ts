import type { AgentId, AggregatorId, EffectId, RunId, TaskId } from '../ids.ts';
import type { LedgerUpdate, RoundLedger } from './documents/round-ledger.ts';
import type { RunStanding } from './documents/run-standing.ts';
import { exampleDigest, exampleProfile, exampleResult, exampleSpec, exampleUpdate } from './example-run.ts';
import { checkInvariants, checkTransition } from './invariants.ts';
import { sortedEntries } from './persistent-map.ts';
import type { RoundEffectOutcome } from './round-effect.ts';
import { effectId } from './round-effect.ts';
import type { RoundEvent } from './round-event.ts';
import type { RoundReply } from './round-reply.ts';
import type { Assignment, PublishedRound, RoundState } from './round-state.ts';
import type { RunSpec } from './run-spec.ts';
import { step } from './step.ts';
import { wakeAtMs } from './wake-at.ts';
import { whyWaiting } from './why-waiting.ts';

/**
 * A scenario as text: events in, and what came of them. `testdata/*.txt` are compared with what the machine says today.
 *
 * ```text
 * # what this scenario shows
 *
 * @1000 update alice bytes=a
 *   reply: accepted round 1 …/alice/a.safetensors
 *   + write-ledger-1
 *   aggregating round 1: writing the list of updates
 * ```
 *
 * A line that begins with `@` is an event at a time in milliseconds (`aggregate`: all events of an aggregation); indented lines are the answer; other lines are kept as they are.
 */
export function runTranscript(text: string): string {
  let state: RoundState | null = null;
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('  ')) continue;
    lines.push(line);
    if (!line.startsWith('@')) continue;
    const [at, verb, ...words] = line.slice(1).trim().split(/\s+/);
    const atMs = Number(at);
    const result: Told =
      verb === 'aggregate'
        ? aggregate(state, words[0] ?? '', atMs)
        : tell(state, eventOf(verb ?? '', words, atMs, state));
    lines.push(...answerLines(state, result, atMs).map((text) => `  ${text}`));
    state = result.state;
  }
  return lines.join('\n');
}

interface Told {
  readonly state: RoundState | null;
  readonly reply: RoundReply;
  readonly emitted: readonly EffectId[];
}

function tell(state: RoundState | null, event: RoundEvent): Told {
  const result = step(state, event);
  return { ...result, emitted: result.emitted.map(effectId) };
}

/** The whole aggregation of the open round by one honest aggregator: ledger, every task, manifest. Shows the last answer alone. */
function aggregate(before: RoundState | null, aggregatorId: string, atMs: number): Told {
  const round = before?.round ?? 0;
  const say = (state: RoundState | null, verb: string, ...words: readonly string[]): Told =>
    tell(state, eventOf(verb, words, atMs, state));
  let told = say(before, 'performed', `reconcile-updates-${round}`);
  told = say(told.state, 'performed', `write-ledger-${round}`);
  for (const [taskId] of sortedEntries(told.state?.tasks ?? new Map())) {
    told = say(told.state, 'claim', aggregatorId);
    told = say(told.state, 'complete', aggregatorId, taskId);
  }
  return say(told.state, 'performed', `publish-manifest-${round}`);
}

function answerLines(before: RoundState | null, { state, reply, emitted }: Told, atMs: number): string[] {
  const lines = [`reply: ${replyText(reply)}`, ...emitted.map((id) => `+ ${id}`)];
  if (state === null) return lines;
  for (const [agentId, { assignment, progress }] of sortedEntries(state.cohort)) {
    const old = before?.cohort.get(agentId);
    if (old?.assignment !== assignment) lines.push(`${agentId} is assigned: ${assignment.reason}`);
    else if (old.progress !== progress) lines.push(`${agentId} has ${progress.kind}`);
  }
  for (const [agentId, { trainedIn }] of sortedEntries(state.carried)) {
    if (!before?.carried.has(agentId)) lines.push(`the update of ${agentId} from round ${trainedIn} is carried over`);
  }
  const wake = wakeAtMs(state);
  lines.push(`${whyWaiting(state, atMs)}${wake === null ? '' : ` (wakes @${wake})`}`);
  const broken = [...checkInvariants(state), ...(before === null ? [] : checkTransition(before, state))];
  return [...lines, ...broken.map((sentence) => `BROKEN: ${sentence}`)];
}

function replyText(reply: RoundReply): string {
  switch (reply.kind) {
    case 'done':
    case 'noTask':
      return reply.kind;
    case 'updateAccepted':
      return `accepted into round ${reply.round}: ${reply.objectName}`;
    case 'taskGranted':
      return `granted ${reply.task.taskId} attempt ${reply.task.attempt} until @${reply.task.leaseUntilMs} of ${reply.task.modules.map(({ name }) => name).join(', ')}`;
    case 'taskRenewed':
      return `renewed until @${reply.leaseUntilMs}`;
    case 'refusal':
      return `refused, ${reply.reason}: ${reply.message}`;
  }
}

function eventOf(verb: string, words: readonly string[], atMs: number, state: RoundState | null): RoundEvent {
  const positional = words.filter((word) => !word.includes('='));
  const named = new Map(
    words.filter((word) => word.includes('=')).map((word) => word.split('=', 2) as [string, string]),
  );
  const name = positional[0] ?? '';
  const number = (key: string, otherwise: number): number => Number(named.get(key) ?? otherwise);
  const text = (key: string): string => (named.get(key) ?? '').replaceAll('_', ' ');
  const agentId = name as AgentId;
  const aggregatorId = name as AggregatorId;
  const taskId = (positional[1] ?? '') as TaskId;
  const round = number('round', state?.round ?? 0);
  const attempt = number('attempt', state?.tasks.get(taskId)?.attempt ?? 0);
  const handout = number('handout', state?.cohort.get(agentId)?.assignment.handout ?? 0);
  switch (verb) {
    case 'create':
      return { kind: 'runCreated', atMs, spec: specOf(named, number) };
    case 'enrol':
      return { kind: 'agentEnrolled', atMs, agentId, profile: exampleProfile(number('rank', 8)) };
    case 'ready':
      return { kind: 'agentsReady', atMs, agentIds: positional as AgentId[] };
    case 'progress':
      return {
        kind: 'agentProgressed',
        atMs,
        agentId,
        round,
        handout,
        stage: 'training',
        fraction: number('fraction', 0.5),
        loss: null,
      };
    case 'decline':
      return { kind: 'assignmentDeclined', atMs, agentId, round, handout, reason: text('reason') };
    case 'fail':
      return { kind: 'agentFailed', atMs, agentId, round, handout, reason: text('reason') };
    case 'update':
      return { kind: 'updateStored', atMs, agentId, round, update: updateOf(state, agentId, round, named) };
    case 'claim':
      return {
        kind: 'taskClaimed',
        atMs,
        aggregatorId,
        claimId: named.get('claim') ?? exampleDigest(`${name} @${atMs}`).slice(0, 8),
      };
    case 'renew':
      return { kind: 'taskRenewed', atMs, aggregatorId, round, taskId, attempt };
    case 'complete':
      return {
        kind: 'taskCompleted',
        atMs,
        aggregatorId,
        round,
        taskId,
        attempt,
        result: exampleResult(state!, taskId, attempt),
      };
    case 'give-up':
      return {
        kind: 'taskFailed',
        atMs,
        aggregatorId,
        round,
        taskId,
        attempt,
        reason: text('reason'),
        verdict: verdictOf(named.get('verdict') ?? 'retry'),
      };
    case 'performed':
      return { kind: 'effectDone', atMs, effectId: name as EffectId, outcome: outcomeOf(name, round, named) };
    case 'pause':
      return { kind: 'pauseRequested', atMs, reason: text('reason') };
    case 'resume':
      return { kind: 'resumeRequested', atMs };
    case 'cancel':
      return { kind: 'cancelRequested', atMs, reason: text('reason') };
    case 'retry':
      return { kind: 'retryRequested', atMs, reason: text('reason') };
    case 'troubled':
      return {
        kind: 'effectTroubled',
        atMs,
        effectId: name as EffectId,
        reason: text('reason'),
        attempts: number('attempts', 3),
      };
    case 'rollback':
      return { kind: 'rollbackRequested', atMs, toRound: number('to', 0), reason: text('reason') };
    case 'recover':
      return recoveryOf(state?.spec ?? specOf(named, number), named, atMs);
    case 'tick':
      return { kind: 'ticked', atMs };
  }
  throw new Error(`a scenario says ${JSON.stringify(verb)}; allowed: the verbs of eventOf in transcript.ts`);
}

function verdictOf(text: string): 'retry' | 'refused' | 'handedBack' {
  if (text === 'retry' || text === 'refused' || text === 'handedBack') return text;
  throw new Error(`a scenario says verdict=${text}; allowed: retry, refused, handedBack`);
}

const specOf = (named: ReadonlyMap<string, string>, number: (key: string, otherwise: number) => number): RunSpec => ({
  ...exampleSpec,
  rounds: number('rounds', exampleSpec.rounds),
  cohort: {
    goal: number('goal', exampleSpec.cohort.goal),
    minimum: number('minimum', exampleSpec.cohort.minimum),
    overSelection: number('over', exampleSpec.cohort.overSelection),
    late: named.get('late') === 'carry' ? 'carry' : 'refuse',
  },
  seed: number('seed', exampleSpec.seed),
  origin: named.has('origin')
    ? { runId: named.get('origin') as RunId, round: 3, manifestDigest: exampleDigest('origin') }
    : null,
});

/** `bytes=a` are other bytes than `bytes=b`; `attempt=` names the object, `rank=` claims another rank than the assignment. */
function updateOf(state: RoundState | null, agentId: AgentId, round: number, named: ReadonlyMap<string, string>) {
  const assigned = state?.cohort.get(agentId)?.assignment;
  const rank = Number(named.get('rank') ?? 8);
  const ranks =
    named.has('rank') || assigned === undefined ? { attention: rank, 'feed-forward': rank } : assigned.ranks;
  const assignment: Assignment = {
    round,
    adapterVersion: round - 1,
    ranks,
    reason: '',
    seed: 0,
    deadlineAtMs: 0,
    handout: 0,
  };
  const bytes = named.get('bytes') ?? 'a';
  const update = exampleUpdate(exampleSpec, agentId, assignment, bytes, named.get('attempt') ?? bytes);
  return { ...update, samples: Number(named.get('samples') ?? update.samples) };
}

/** `ledger=` is another ledger than this state's that stands there, `found=` what else does. */
function outcomeOf(id: string, round: number, named: ReadonlyMap<string, string>): RoundEffectOutcome {
  const document = { objectName: `${id}.json`, digest: exampleDigest(id) };
  const manifest = {
    manifest: document,
    adapterDigest: exampleDigest(`adapter of ${id}`),
    updatesDigest: exampleDigest(`updates of ${id}`),
  };
  if (id === 'write-spec') return { kind: 'specWritten' };
  if (id.startsWith('reconcile-updates-'))
    return { kind: 'updatesReconciled', found: storedUpdates(named.get('found'), round) };
  if (id.startsWith('write-ledger-')) {
    return named.has('ledger')
      ? { kind: 'ledgerFound', ledger: document, updates: storedUpdates(named.get('ledger'), round) }
      : { kind: 'ledgerWritten', ledger: document };
  }
  if (id.startsWith('publish-fork'))
    return { kind: 'forkPublished', ...manifest, energyDroppedMax: 0.125, residualMax: 0.25 };
  if (id.startsWith('publish-')) return { kind: 'manifestPublished', ...manifest };
  if (id.startsWith('sweep-round-')) return { kind: 'roundSwept' };
  const standing = standingNamed(named.get('found'));
  return standing === null ? { kind: 'standingWritten' } : { kind: 'standingFound', standing };
}

/** `published=3` are rounds 0 to 2, `rolled-back=2` tells which of them is no sum; `ledger=` is that of the open round, `admitted=` its updates without one. */
function recoveryOf(spec: RunSpec, named: ReadonlyMap<string, string>, atMs: number): RoundEvent {
  const count = Number(named.get('published') ?? 1);
  const published = Array.from(
    { length: count },
    (_, round): PublishedRound => ({
      round,
      manifest: { objectName: `publish-manifest-${round}.json`, digest: exampleDigest(`publish-manifest-${round}`) },
      adapterDigest: null,
      updatesDigest: null,
      rolledBackTo: named.get('rolled-back') === String(round) ? 0 : null,
      publishedAtMs: atMs,
      updates: 0,
      samples: 0,
      trainingLoss: null,
      rankCounts: {},
      energyDroppedMax: 0,
      residualMax: 0,
    }),
  );
  const ledgers = published.flatMap(({ round }): RoundLedger[] => {
    const listed = named.get(`ledger-${round}`);
    if (listed === undefined) return [];
    return [{ version: 1, runId: spec.runId, round, samples: 0, updates: storedUpdates(listed, round) }];
  });
  return {
    kind: 'runRecovered',
    atMs,
    spec,
    published,
    admitted: storedUpdates(named.get('ledger') ?? named.get('admitted'), count),
    openRound: named.has('ledger') ? 'closed' : 'collecting',
    standing: standingNamed(named.get('standing')),
    carried: [],
    ledgers,
  };
}

/** `cancelled-2` is the standing of a run that was cancelled, with the sequence 2; also paused, failed and open. */
function standingNamed(text: string | undefined): RunStanding | null {
  if (text === undefined) return null;
  const [word = '', sequence] = text.split('-');
  return {
    sequence: Number(sequence),
    paused: word === 'paused' ? { sinceMs: 0, reason: 'maintenance' } : null,
    settled:
      word === 'cancelled' || word === 'failed' ? { outcome: word, reason: 'as an operator wished', atMs: 0 } : null,
  };
}

/** `alice:a,bob:b@1`: alice's update of bytes a, and bob's of bytes b, which was trained in round 1. */
function storedUpdates(text: string | undefined, round: number): readonly LedgerUpdate[] {
  return (text ?? '')
    .split(',')
    .filter((part) => part !== '')
    .map((part) => {
      const [agent = '', rest = ''] = part.split(':');
      const [bytes = '', trainedIn] = rest.split('@');
      const agentId = agent as AgentId;
      const update = updateOf(null, agentId, Number(trainedIn ?? round), new Map([['bytes', bytes]]));
      return { ...update, agentId, ...(trainedIn === undefined ? {} : { trainedIn: Number(trainedIn) }) };
    });
}
