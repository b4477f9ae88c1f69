import {
  type AgentId,
  type AgentRecord,
  agentField,
  type CohortMember,
  decodeAgent,
  decodeHead,
  decodeMember,
  decodePublishedRound,
  decodeReadiness,
  decodeSpec,
  decodeState,
  HEAD_FIELD,
  holdsState,
  memberField,
  type PublishedRound,
  publishedCount,
  type RoundState,
  type RunHead,
  type RunId,
  type RunSpec,
  readyField,
  roundField,
  SPEC_FIELD,
} from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';
import type { RoundStore } from '@flexlora/stores';
import { HEAD_AGE_MS_MAX, RUNS_MAX, STATES_CACHED_MAX } from './limits.ts';
import type { RunSignals } from './run-signals.ts';

/** Reads what runs committed, for doors. Callers that ask the same between two commits share one read. */
export interface RunReader {
  /** How a run stands, at most one lost signal old; null for a run that is not created. */
  readHead(runId: RunId): Promise<RunHeadView | null>;
  /** Whether the run has a state, read now: asked before one is made of its objects. */
  hasState(runId: RunId): Promise<boolean>;
  /** One agent and its part in the open round, read now in one view with the head. */
  readAgent(runId: RunId, agentId: AgentId): Promise<AgentView | null>;
  /** How a run stands, with the rounds that it published; read now, at a cost that does not grow with its agents. */
  readStanding(runId: RunId): Promise<StandingView | null>;
  /** Everything; as old as a head. For operators: it is as large as the run. */
  readState(runId: RunId): Promise<StateView | null>;
}

export interface RunHeadView extends RunHead {
  readonly spec: RunSpec;
}

export interface AgentView {
  readonly head: RunHeadView;
  readonly agent: AgentRecord | null;
  readonly member: CohortMember | null;
  /** 0: not yet present. */
  readonly readyUntilMs: number;
}

export interface StandingView {
  readonly version: number;
  readonly head: RunHeadView;
  readonly published: readonly PublishedRound[];
}

export interface StateView {
  readonly version: number;
  readonly state: RoundState;
}

interface Cached<T> {
  readonly commits: number;
  readonly readAtMs: number;
  readonly value: Promise<T | null>;
}

export function createRunReader(deps: {
  readonly roundStore: RoundStore;
  readonly signals: RunSignals;
  readonly clock: Clock;
}): RunReader {
  const { roundStore, signals, clock } = deps;
  const heads = new Map<RunId, Cached<RunHeadView>>();
  const states = new Map<RunId, Cached<StateView>>();
  // A run's specification never changes, and is much larger than its head.
  const specs = new Map<RunId, RunSpec>();

  /** Only runs that exist are remembered, so that asking for others costs no memory. */
  const cached = async <T>(
    cache: Map<RunId, Cached<T>>,
    cachedMax: number,
    runId: RunId,
    load: () => Promise<T | null>,
  ): Promise<T | null> => {
    const known = specs.has(runId);
    const commits = known ? signals.committed(runId).count : 0;
    const entry = cache.get(runId);
    if (entry?.commits === commits && clock.nowMs() - entry.readAtMs < HEAD_AGE_MS_MAX) return entry.value;
    const value = load();
    if (!known) return value;
    const made = { commits, readAtMs: clock.nowMs(), value };
    cache.delete(runId);
    cache.set(runId, made);
    const oldest = cache.keys().next().value;
    if (cache.size > cachedMax && oldest !== undefined) cache.delete(oldest);
    value.catch(() => {
      if (cache.get(runId) === made) cache.delete(runId);
    });
    return value;
  };

  /** Null where the store lost the run since its head was read. */
  const specOf = async (runId: RunId): Promise<RunSpec | null> => {
    const present = specs.get(runId);
    if (present !== undefined) return present;
    const { values } = await roundStore.readFields(runId, [SPEC_FIELD]);
    const text = values[0];
    if (text === null || text === undefined) return null;
    const spec = decodeSpec(text);
    specs.set(runId, spec);
    return spec;
  };

  const readHeadNow = async (
    runId: RunId,
  ): Promise<{ readonly version: number; readonly head: RunHeadView } | null> => {
    const { version, values } = await roundStore.readFields(runId, [HEAD_FIELD]);
    const text = values[0];
    if (text === null || text === undefined) return null;
    const spec = await specOf(runId);
    return spec === null ? null : { version, head: { ...decodeHead(text), spec } };
  };
  const loadHead = async (runId: RunId): Promise<RunHeadView | null> => (await readHeadNow(runId))?.head ?? null;

  return {
    readHead: (runId) => cached(heads, RUNS_MAX, runId, () => loadHead(runId)),
    hasState: async (runId) => (await roundStore.readFields(runId, [HEAD_FIELD])).values[0] != null,
    readAgent: async (runId, agentId) => {
      const fields = [HEAD_FIELD, agentField(agentId), memberField(agentId), readyField(agentId)];
      const { values } = await roundStore.readFields(runId, fields);
      const [head, agent, member, ready] = values;
      const spec = head === null || head === undefined ? null : await specOf(runId);
      if (head === null || head === undefined || spec === null) return null;
      return {
        head: { ...decodeHead(head), spec },
        agent: agent === null || agent === undefined ? null : decodeAgent(agent),
        member: member === null || member === undefined ? null : decodeMember(member),
        readyUntilMs: ready === null || ready === undefined ? 0 : decodeReadiness(ready),
      };
    },
    readStanding: async (runId) => {
      const standing = await readHeadNow(runId);
      if (standing === null) return null;
      const { version, head } = standing;
      const fields = Array.from({ length: publishedCount(head) }, (_, round) => roundField(round));
      const { values } = await roundStore.readFields(runId, fields);
      // A round that is missing was lost between the two reads: the next look tells.
      const published = values.flatMap((text) => (text === null ? [] : [decodePublishedRound(text)]));
      return { version, head, published };
    },
    readState: (runId) =>
      cached(states, STATES_CACHED_MAX, runId, async () => {
        const view = await roundStore.readState(runId);
        if (view === null || !holdsState(view.fields)) return null;
        const state = decodeState(view.fields);
        specs.set(runId, state.spec);
        return { version: view.version, state };
      }),
  };
}
