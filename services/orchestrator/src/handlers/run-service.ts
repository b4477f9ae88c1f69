import {
  type CreateRunRequest,
  type CreateRunResponse,
  type ForkRunRequest,
  type ForkRunResponse,
  type ListAgentsRequest,
  type ListAgentsResponse,
  type ListRunsResponse,
  type Run,
  type RunServiceServer,
  RunServiceService,
} from '@flexlora/contracts/run/v1/run_service';
import {
  canonicalJson,
  Fault,
  isRefusal,
  parseRunId,
  type Refusal,
  type RoundEvent,
  type RoundReply,
  type RunId,
  type RunSpec,
  refuse,
  specObjectName,
} from '@flexlora/core';
import type { CallContext, GrpcServiceBinding, HandlerAdapter } from '@flexlora/runtime';
import { storeSpec } from '../documents/run-spec.ts';
import { eventIdOf, freshEventId } from '../event-id.ts';
import { AGENTS_PAGE_MAX, RUNS_MAX } from '../limits.ts';
import { recoverRun } from '../recovery/recover-run.ts';
import { agentMessage } from '../translate/agent-view.ts';
import { cutText } from '../translate/cut-text.ts';
import { runSpecFromMessage } from '../translate/run-spec.ts';
import { extentOf, runMessage, runSummary } from '../translate/run-view.ts';
import type { ControlDeps } from './control-deps.ts';
import { checkOrigin, originOf } from './run-origin.ts';
import { watchRun } from './watch-run.ts';

/** For operators. */
export function bindRunService(deps: ControlDeps, adapter: HandlerAdapter): GrpcServiceBinding {
  const implementation: RunServiceServer = {
    createRun: adapter.unary((request, call) => createRun(deps, request, call)),
    getRun: adapter.unary((request) => withRun(deps, request, (run) => ({ run }))),
    listRuns: adapter.unary(() => listRuns(deps)),
    watchRun: adapter.serverStream((request, call) => watchRun(deps, request, call)),
    pauseRun: adapter.unary((request, call) =>
      ask(
        deps,
        request.runId,
        { kind: 'pauseRequested', atMs: deps.clock.nowMs(), reason: cutText(request.reason) },
        call,
      ),
    ),
    resumeRun: adapter.unary((request, call) =>
      ask(deps, request.runId, { kind: 'resumeRequested', atMs: deps.clock.nowMs() }, call),
    ),
    cancelRun: adapter.unary((request, call) =>
      ask(
        deps,
        request.runId,
        { kind: 'cancelRequested', atMs: deps.clock.nowMs(), reason: cutText(request.reason) },
        call,
      ),
    ),
    retryRound: adapter.unary((request, call) =>
      ask(
        deps,
        request.runId,
        { kind: 'retryRequested', atMs: deps.clock.nowMs(), reason: cutText(request.reason) },
        call,
      ),
    ),
    rollBackRun: adapter.unary((request, call) => {
      const { toRound, reason } = request;
      const atMs = deps.clock.nowMs();
      return ask(deps, request.runId, { kind: 'rollbackRequested', atMs, toRound, reason: cutText(reason) }, call);
    }),
    forkRun: adapter.unary((request, call) => forkRun(deps, request, call)),
    listAgents: adapter.unary((request) => listAgents(deps, request)),
  };
  return { definition: RunServiceService, implementation };
}

async function createRun(
  deps: ControlDeps,
  request: CreateRunRequest,
  call: CallContext,
): Promise<CreateRunResponse | Refusal> {
  const spec = runSpecFromMessage(request.spec);
  if (isRefusal(spec)) return spec;
  const misfit = await checkOrigin(deps, spec);
  return misfit ?? create(deps, spec, call);
}

async function create(deps: ControlDeps, spec: RunSpec, call: CallContext): Promise<{ run: Run } | Refusal> {
  const runs = await deps.roundStore.listRuns();
  if (runs.length >= RUNS_MAX && !runs.includes(spec.runId)) {
    return refuse('tooManyRuns', `${runs.length} runs are kept; allowed: ${RUNS_MAX}: use another installation`);
  }
  const lost = await recoverIfLost(deps, spec.runId, call.signal);
  if (lost !== null) return lost;
  // First, so that a run whose creation was acknowledged is found again whatever becomes of the round store.
  if (!(await storeSpec(deps.objectStore, spec, call.signal))) return otherRun(spec.runId);
  await deps.roundStore.createRun(spec.runId);
  const eventId = eventIdOf('runCreated', spec.runId, canonicalJson(spec));
  const event: RoundEvent = { kind: 'runCreated', atMs: deps.clock.nowMs(), spec };
  return answerRun(deps, spec.runId, await deps.door.offer(spec.runId, eventId, event, call.signal));
}

/** Creates a run that begins with an adapter of another; the caller need not know the digest of its manifest. */
async function forkRun(
  deps: ControlDeps,
  request: ForkRunRequest,
  call: CallContext,
): Promise<ForkRunResponse | Refusal> {
  if (request.spec === undefined) return refuse('badSpec', 'spec is not set; allowed: a message with all its fields');
  const origin = await originOf(deps, request.fromRunId, request.fromRound);
  if (isRefusal(origin)) return origin;
  return createRun(deps, { spec: { ...request.spec, origin } }, call);
}

/** A run that the object store holds and the round store lost is not created again: it would write over what it published. */
async function recoverIfLost(deps: ControlDeps, runId: RunId, signal: AbortSignal): Promise<Refusal | null> {
  if (await deps.reader.hasState(runId)) return null;
  if ((await deps.objectStore.head(specObjectName(runId), signal)) === null) return null;
  deps.logger.warn({ runId }, 'a run is created that the object store holds: it goes on from there');
  return recoverRun(deps, runId, signal);
}

/** Asking twice changes nothing the second time, or is meant twice, so every call is its own event. */
async function ask(
  deps: ControlDeps,
  runIdText: string,
  event: RoundEvent,
  call: CallContext,
): Promise<{ run: Run } | Refusal> {
  const runId = parseRunId(runIdText);
  if (isRefusal(runId)) return runId;
  const reply = await deps.door.offer(runId, freshEventId(event.kind, deps.randomId), event, call.signal);
  return answerRun(deps, runId, reply);
}

async function answerRun(deps: ControlDeps, runId: RunId, reply: RoundReply): Promise<{ run: Run } | Refusal> {
  if (isRefusal(reply)) return reply;
  return withRun(deps, { runId, withoutCohort: false }, (run) => ({ run }));
}

async function withRun<Response>(
  deps: ControlDeps,
  request: { readonly runId: string; readonly withoutCohort: boolean },
  respond: (run: Run) => Response,
): Promise<Response | Refusal> {
  const runId = parseRunId(request.runId);
  if (isRefusal(runId)) return runId;
  if (extentOf(request) === 'withoutCohort') {
    const standing = await deps.reader.readStanding(runId);
    if (standing === null) return unknownRun(runId);
    return respond(runSummary(standing.head, standing.published, deps.clock.nowMs()));
  }
  const view = await deps.reader.readState(runId);
  if (view === null) return unknownRun(runId);
  return respond(runMessage(view.state, deps.clock.nowMs()));
}

async function listRuns(deps: ControlDeps): Promise<ListRunsResponse> {
  const runIds = [...(await deps.roundStore.listRuns())].sort();
  const runs: Run[] = [];
  for (const runId of runIds) {
    const view = await deps.reader.readStanding(runId).catch((error: unknown) => {
      // The store is away for all of them; anything else is of this run alone, and hides no other.
      if (error instanceof Fault) throw error;
      deps.logger.error({ runId, err: error }, 'a run is left out of the list: its state cannot be read');
      return null;
    });
    // A run that is named but whose creation was refused or is under way is not a run yet.
    if (view !== null) runs.push(runSummary(view.head, view.published, deps.clock.nowMs()));
  }
  return { runs };
}

/** The page token is the last id of the page before: agents that enrol meanwhile neither shift nor repeat anything. */
async function listAgents(deps: ControlDeps, request: ListAgentsRequest): Promise<ListAgentsResponse | Refusal> {
  const runId = parseRunId(request.runId);
  if (isRefusal(runId)) return runId;
  const view = await deps.reader.readState(runId);
  if (view === null) return unknownRun(runId);
  const size = Math.min(request.pageSize === 0 ? AGENTS_PAGE_MAX : request.pageSize, AGENTS_PAGE_MAX);
  const after = [...view.state.agents.keys()].filter((agentId) => agentId > request.pageToken).sort();
  const page = after.slice(0, size);
  const nowMs = deps.clock.nowMs();
  return {
    agents: page.map((agentId) => agentMessage(agentId, view.state, nowMs)),
    nextPageToken: after.length > size ? (page.at(-1) ?? '') : '',
  };
}

const otherRun = (runId: RunId): Refusal =>
  refuse(
    'runExists',
    `run ${runId} exists with another specification: choose another run_id, or send the same specification`,
  );

export const unknownRun = (runId: string): Refusal =>
  refuse('unknownRun', `there is no run ${runId}; allowed: a run that ListRuns shows`);
