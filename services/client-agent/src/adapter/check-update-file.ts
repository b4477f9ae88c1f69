import { createHash } from 'node:crypto';
import {
  createUpdateValidator,
  isRefusal,
  parseSha256,
  type Refusal,
  refuse,
  type Sha256Hex,
  type UpdateEntries,
  type UpdateFormat,
} from '@flexlora/core';
import { type AgentDisk, openChunks } from '../disk/agent-disk.ts';
import type { RunPlan } from '../translate.ts';

/** What was read of an update that is as assigned. */
export interface CheckedUpdate {
  readonly bytes: number;
  readonly sha256: Sha256Hex;
  /** Where its factors lie. */
  readonly modules: UpdateEntries;
}

/** Reads an update once: its size and digest, or what a platform that asks for this format would refuse. */
export async function checkUpdateFile(
  disk: AgentDisk,
  path: string,
  plan: RunPlan,
  moduleRanks: Readonly<Record<string, number>>,
  format: UpdateFormat,
): Promise<CheckedUpdate | Refusal> {
  const modules = plan.modules.map(({ name, out, in: columns }) => ({
    name,
    out,
    in: columns,
    rank: moduleRanks[name] ?? 0,
    format,
  }));
  const validator = createUpdateValidator({ kind: 'assignment', modules });
  const hash = createHash('sha256');
  let bytes = 0;
  const chunks = await openChunks(disk, path);
  if (chunks === null)
    return refuse('badFile', 'the trainer left no adapter_model.safetensors; allowed: a PEFT directory in adapter_out');
  for await (const chunk of chunks) {
    const refusal = validator.push(chunk);
    if (refusal !== null) return refusal;
    hash.update(chunk);
    bytes += chunk.byteLength;
  }
  const end = validator.end();
  if (isRefusal(end)) return end;
  const sha256 = parseSha256('sha256', hash.digest('hex'));
  return isRefusal(sha256) ? sha256 : { bytes, sha256, modules: end.modules };
}
