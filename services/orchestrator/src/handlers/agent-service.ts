import {
  type AgentServiceServer,
  AgentServiceService,
  type EnrolRequest,
  type EnrolResponse,
  type ReportProgressRequest,
  type ReportProgressResponse,
  Stage,
} from '@flexlora/contracts/agent/v1/agent_service';
import {
  type AgentId,
  isRefusal,
  parseAgentId,
  parseRunId,
  parseSha256,
  type Refusal,
  type RunId,
  refuse,
  validateReport,
} from '@flexlora/core';
import type { CallContext, GrpcServiceBinding, HandlerAdapter } from '@flexlora/runtime';
import { eventIdOf, freshEventId } from '../event-id.ts';
import { PROGRESS_REPORT_MS } from '../limits.ts';
import { cutText } from '../translate/cut-text.ts';
import { resourceProfileFromMessage } from '../translate/resource-profile.ts';
import { runSpecMessage } from '../translate/run-spec.ts';
import { transferFromMessage } from '../translate/transfer-progress.ts';
import { awaitAssignment } from './await-assignment.ts';
import type { ControlDeps } from './control-deps.ts';
import { unknownRun } from './run-service.ts';

/** For client agents: taking part in a run. */
export function bindAgentService(deps: ControlDeps, adapter: HandlerAdapter): GrpcServiceBinding {
  const implementation: AgentServiceServer = {
    enrol: adapter.unary((request, call) => enrol(deps, request, call)),
    awaitAssignment: adapter.unary((request, call) => awaitAssignment(deps, request, call)),
    declineAssignment: adapter.unary((request, call) => giveUp(deps, 'assignmentDeclined', request, call)),
    reportProgress: adapter.unary((request, call) => reportProgress(deps, request, call)),
    reportFailure: adapter.unary((request, call) => giveUp(deps, 'agentFailed', request, call)),
  };
  return { definition: AgentServiceService, implementation };
}

export interface Participant {
  readonly runId: RunId;
  readonly agentId: AgentId;
}

export function participantFromMessage(message: {
  readonly runId: string;
  readonly agentId: string;
}): Participant | Refusal {
  const runId = parseRunId(message.runId);
  if (isRefusal(runId)) return runId;
  const agentId = parseAgentId(message.agentId);
  return isRefusal(agentId) ? agentId : { runId, agentId };
}

async function enrol(deps: ControlDeps, request: EnrolRequest, call: CallContext): Promise<EnrolResponse | Refusal> {
  const participant = participantFromMessage(request);
  if (isRefusal(participant)) return participant;
  const { runId, agentId } = participant;
  const profile = resourceProfileFromMessage(request.profile);
  if (isRefusal(profile)) return profile;
  const digest = parseSha256('base_model_digest', request.baseModelDigest);
  if (isRefusal(digest)) return digest;
  const head = await deps.reader.readHead(runId);
  if (head === null) return unknownRun(runId);
  const { baseModel } = head.spec;
  if (baseModel.digest !== digest) {
    return refuse(
      'baseMismatch',
      `base_model_digest is ${digest}; run ${runId} trains ${baseModel.name} with ${baseModel.digest}: fetch those weights`,
    );
  }
  // Every call is its own event: a profile that changes back and forth must not be taken for a repetition.
  const eventId = freshEventId('agentEnrolled', deps.randomId);
  const atMs = deps.clock.nowMs();
  const reply = await deps.door.offer(runId, eventId, { kind: 'agentEnrolled', atMs, agentId, profile }, call.signal);
  return isRefusal(reply) ? reply : { spec: runSpecMessage(head.spec) };
}

async function giveUp(
  deps: ControlDeps,
  kind: 'assignmentDeclined' | 'agentFailed',
  request: {
    readonly runId: string;
    readonly agentId: string;
    readonly round: number;
    readonly handout: number;
    readonly reason: string;
  },
  call: CallContext,
): Promise<Record<string, never> | Refusal> {
  const participant = participantFromMessage(request);
  if (isRefusal(participant)) return participant;
  const { runId, agentId } = participant;
  const { round, handout } = request;
  const reason = cutText(request.reason);
  // The same words about another hand-out of the round are another event.
  const eventId = eventIdOf(kind, runId, round, handout, agentId, reason);
  const atMs = deps.clock.nowMs();
  const reply = await deps.door.offer(runId, eventId, { kind, atMs, agentId, round, handout, reason }, call.signal);
  return isRefusal(reply) ? reply : {};
}

async function reportProgress(
  deps: ControlDeps,
  request: ReportProgressRequest,
  call: CallContext,
): Promise<ReportProgressResponse | Refusal> {
  const participant = participantFromMessage(request);
  if (isRefusal(participant)) return participant;
  const { runId, agentId } = participant;
  const stage = STAGE_NAMES.get(request.stage);
  if (stage === undefined) {
    return refuse(
      'badNumber',
      `stage is ${request.stage}; allowed: STAGE_DOWNLOADING, STAGE_TRAINING, STAGE_UPLOADING`,
    );
  }
  const transfer = transferFromMessage(request);
  if (isRefusal(transfer)) return transfer;
  const { round, handout, fraction } = request;
  const report = { fraction, loss: request.loss ?? null, ...(transfer === null ? {} : { transfer }) };
  const wrong = validateReport(report);
  if (wrong !== null) return wrong;
  const eventId = freshEventId('agentProgressed', deps.randomId);
  const atMs = deps.clock.nowMs();
  const event = { kind: 'agentProgressed', atMs, agentId, round, handout, stage, ...report } as const;
  const reply = await deps.door.offer(runId, eventId, event, call.signal);
  return isRefusal(reply) ? reply : { nextReportAfterMs: PROGRESS_REPORT_MS };
}

const STAGE_NAMES = new Map<number, 'downloading' | 'training' | 'uploading'>([
  [Stage.DOWNLOADING, 'downloading'],
  [Stage.TRAINING, 'training'],
  [Stage.UPLOADING, 'uploading'],
]);
