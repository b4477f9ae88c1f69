import type { AgentId, EffectId, TaskId } from '../ids.ts';
import { completeAgent, completeHead, completeMember, completePublished, completeTask } from './older-records.ts';
import { changedKeys, persistentMap } from './persistent-map.ts';
import type { RoundEffect } from './round-effect.ts';
import type {
  AgentRecord,
  CarriedUpdate,
  CohortMember,
  PublishedRound,
  RoundState,
  TaskRecord,
} from './round-state.ts';
import { headOf, type RunHead } from './run-head.ts';
import { completeRunSpec, type RunSpec } from './run-spec.ts';

/**
 * The state as named text fields of the round store:
 *
 * | field                | content           | written when                    |
 * |----------------------|-------------------|---------------------------------|
 * | `head`               | `RunHead`         | it differs                      |
 * | `spec`               | `RunSpec`         | the run is created or recovered |
 * | `agent:<agent id>`   | `AgentRecord`     | the entry was replaced          |
 * | `ready:<agent id>`   | a number          | 〃                              |
 * | `member:<agent id>`  | `CohortMember`    | 〃                              |
 * | `carried:<agent id>` | `CarriedUpdate`   | 〃                              |
 * | `task:<task id>`     | `TaskRecord`      | 〃                              |
 * | `effect:<effect id>` | `RoundEffect`     | 〃                              |
 * | `round:<n>`          | `PublishedRound`  | 〃                              |
 */
export const HEAD_FIELD = 'head';
export const SPEC_FIELD = 'spec';
export const agentField = (agentId: AgentId): string => `agent:${agentId}`;
export const readyField = (agentId: AgentId): string => `ready:${agentId}`;
export const memberField = (agentId: AgentId): string => `member:${agentId}`;
export const carriedField = (agentId: AgentId): string => `carried:${agentId}`;
export const taskField = (taskId: TaskId): string => `task:${taskId}`;
export const effectField = (effectId: EffectId): string => `effect:${effectId}`;
export const roundField = (round: number): string => `round:${round}`;

export const decodeHead = (text: string): RunHead => completeHead(JSON.parse(text));
export const decodeSpec = (text: string): RunSpec => completeRunSpec(JSON.parse(text));
export const decodeAgent = (text: string): AgentRecord => completeAgent(JSON.parse(text));
export const decodeMember = (text: string): CohortMember => completeMember(JSON.parse(text));
export const decodeReadiness = (text: string): number => JSON.parse(text);
export const decodeTask = (text: string): TaskRecord => completeTask(JSON.parse(text));
export const decodePublishedRound = (text: string): PublishedRound => completePublished(JSON.parse(text));

export interface FieldChanges {
  readonly put: Map<string, string>;
  readonly drop: string[];
}

/** Every field of the state. */
export const encodeState = (state: RoundState): Map<string, string> => diffState(null, state).put;

/** What to write so that a store that holds `before` holds `after`. Values were replaced, never mutated, so references tell. */
export function diffState(before: RoundState | null, after: RoundState): FieldChanges {
  const changes: FieldChanges = { put: new Map(), drop: [] };
  if (before === after) return changes;
  const head = headText(after);
  if (before === null || headText(before) !== head) changes.put.set(HEAD_FIELD, head);
  if (before?.spec !== after.spec) changes.put.set(SPEC_FIELD, JSON.stringify(after.spec));
  diffMap(changes, before?.agents, after.agents, agentField);
  diffMap(changes, before?.readiness, after.readiness, readyField);
  diffMap(changes, before?.cohort, after.cohort, memberField);
  diffMap(changes, before?.carried, after.carried, carriedField);
  diffMap(changes, before?.tasks, after.tasks, taskField);
  diffMap(changes, before?.effects, after.effects, effectField);
  for (const [round, summary] of after.published) {
    if (before?.published.get(round) !== summary) changes.put.set(roundField(round), JSON.stringify(summary));
  }
  return changes;
}

/** What was written last is what is compared with next. */
const headTexts = new WeakMap<RoundState, string>();

function headText(state: RoundState): string {
  const known = headTexts.get(state);
  if (known !== undefined) return known;
  const text = JSON.stringify(headOf(state));
  headTexts.set(state, text);
  return text;
}

function diffMap<K extends string, V>(
  { put, drop }: FieldChanges,
  before: ReadonlyMap<K, V> | undefined,
  after: ReadonlyMap<K, V>,
  fieldOf: (key: K) => string,
): void {
  for (const key of changedKeys(before ?? new Map<K, V>(), after)) {
    const value = after.get(key);
    if (value === undefined) drop.push(fieldOf(key));
    else put.set(fieldOf(key), JSON.stringify(value));
  }
}

/** Whether the fields are a run's: those of a run that was named, while its creation is under way or was refused, are not. */
export const holdsState = (fields: ReadonlyMap<string, string>): boolean => fields.has(HEAD_FIELD);

/** @throws for fields that no version of this file wrote, and for a head of another version: a fault of the store or of a deployment. */
export function decodeState(fields: ReadonlyMap<string, string>): RoundState {
  const head = decodeHead(required(fields, HEAD_FIELD));
  if (head.version !== 1)
    throw new Error(`the state has version ${head.version} of its encoding; this program reads 1`);
  const agents: [AgentId, AgentRecord][] = [];
  const readiness: [AgentId, number][] = [];
  const cohort: [AgentId, CohortMember][] = [];
  const carried: [AgentId, CarriedUpdate][] = [];
  const tasks: [TaskId, TaskRecord][] = [];
  const effects: [EffectId, RoundEffect][] = [];
  const published: PublishedRound[] = [];
  for (const [field, text] of fields) {
    const colon = field.indexOf(':');
    const id = field.slice(colon + 1);
    const family = colon < 0 ? field : field.slice(0, colon);
    if (family === 'agent') agents.push([id as AgentId, decodeAgent(text)]);
    else if (family === 'ready') readiness.push([id as AgentId, decodeReadiness(text)]);
    else if (family === 'member') cohort.push([id as AgentId, decodeMember(text)]);
    else if (family === 'carried') carried.push([id as AgentId, JSON.parse(text)]);
    else if (family === 'task') tasks.push([id as TaskId, decodeTask(text)]);
    // Earlier programs asked for single objects to be deleted; the sweep of the round does it now.
    else if (field.startsWith('effect:delete-upload-')) continue;
    else if (family === 'effect') effects.push([id as EffectId, JSON.parse(text)]);
    else if (family === 'round') published.push(decodePublishedRound(text));
    else if (field !== HEAD_FIELD && field !== SPEC_FIELD)
      throw new Error(`the state has a field ${field}, which this program does not know`);
  }
  return {
    spec: decodeSpec(required(fields, SPEC_FIELD)),
    phase: head.phase,
    paused: head.paused,
    round: head.round,
    agents: persistentMap(agents),
    readiness: persistentMap(readiness),
    cohort: persistentMap(cohort),
    carried: persistentMap(carried),
    tasks: persistentMap(tasks),
    effects: persistentMap(effects),
    troubles: new Map(head.troubles),
    standingSequence: head.standingSequence,
    published: new Map(published.sort((a, b) => a.round - b.round).map((summary) => [summary.round, summary])),
  };
}

function required(fields: ReadonlyMap<string, string>, name: string): string {
  const text = fields.get(name);
  if (text === undefined) throw new Error(`the state has no field ${name}: it is not a run's state`);
  return text;
}
