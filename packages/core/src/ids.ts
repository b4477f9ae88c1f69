import { type Refusal, refuse } from './refusal.ts';

/** A string that was checked to be an id of one kind. */
type Brand<Name extends string> = string & { readonly __brand: Name };

export type RunId = Brand<'RunId'>;
/** Stable over restarts of the agent: chosen by its operator. */
export type AgentId = Brand<'AgentId'>;
export type AggregatorId = Brand<'AggregatorId'>;
/** Unique within a run and round. */
export type TaskId = Brand<'TaskId'>;
/** Makes an event idempotent: the same id is folded once. */
export type EventId = Brand<'EventId'>;
export type EffectId = Brand<'EffectId'>;
/** SHA-256, 64 lower-case hexadecimal digits. */
export type Sha256Hex = Brand<'Sha256Hex'>;
/** PEFT's name of a LoRA target matrix: `model.layers.0.self_attn.q_proj`. */
export type ModuleName = Brand<'ModuleName'>;

/** Ids become parts of store keys and object names, so their alphabet is that of a DNS label plus `_` and `.`. */
const ID_PATTERN = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;
const ID_RULE = '1 to 63 of a-z, 0-9, ".", "_", "-", beginning and ending with a letter or digit';
const MODULE_PATTERN = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*$/;
const MODULE_NAME_CHARS_MAX = 256;
const CLAIM_ID_PATTERN = /^[0-9a-f]{8}$/;
const SHA256_PATTERN = /^[0-9a-f]{64}$/;

function parseId<Id extends string>(field: string, text: string): Id | Refusal {
  // '..' is excluded because an id is a path segment of an object's name.
  if (ID_PATTERN.test(text) && !text.includes('..')) return text as Id;
  return refuse('badId', `${field} is ${JSON.stringify(text.slice(0, 80))}; allowed: ${ID_RULE}`);
}

export const parseRunId = (text: string): RunId | Refusal => parseId<RunId>('run_id', text);
export const parseAgentId = (text: string): AgentId | Refusal => parseId<AgentId>('agent_id', text);
export const parseAggregatorId = (text: string): AggregatorId | Refusal => parseId<AggregatorId>('aggregator_id', text);
export const parseTaskId = (text: string): TaskId | Refusal => parseId<TaskId>('task_id', text);

/** Drawn anew by an aggregator for each task; it becomes part of an object's name. */
export function parseClaimId(text: string): string | Refusal {
  if (CLAIM_ID_PATTERN.test(text)) return text;
  return refuse(
    'badId',
    `claim_id is ${JSON.stringify(text.slice(0, 80))}; allowed: 8 lower-case hexadecimal digits, drawn by chance for each task`,
  );
}

export function parseModuleName(text: string): ModuleName | Refusal {
  if (text.length <= MODULE_NAME_CHARS_MAX && MODULE_PATTERN.test(text)) return text as ModuleName;
  return refuse(
    'badModule',
    `module name is ${JSON.stringify(text.slice(0, 80))}; allowed: a dotted name as PEFT gives it, such as model.layers.0.self_attn.q_proj, at most ${MODULE_NAME_CHARS_MAX} characters`,
  );
}

export function parseSha256(field: string, text: string): Sha256Hex | Refusal {
  if (SHA256_PATTERN.test(text)) return text as Sha256Hex;
  return refuse(
    'badDigest',
    `${field} is ${JSON.stringify(text.slice(0, 80))}; allowed: 64 lower-case hexadecimal digits of a SHA-256`,
  );
}
