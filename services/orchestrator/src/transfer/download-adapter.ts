import { allocateChunk } from '@flexlora/contracts/transfer';
import type { DownloadAdapterRequest, DownloadAdapterResponse } from '@flexlora/contracts/transfer/v1/transfer_service';
import { isRefusal, parseRunId, type Refusal, refuse } from '@flexlora/core';
import { bytesPassed, type CallContext } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import { DOWNLOAD_CHUNK_BYTES } from '../limits.ts';
import { type DownloadPlan, planDownload } from './download-plan.ts';
import type { TransferDeps } from './transfer-service.ts';

/** Answers what the bytes mean, then the bytes from an offset: ranged reads, with no work or copy by rank. */
export async function* downloadAdapter(
  deps: TransferDeps,
  request: DownloadAdapterRequest,
  call: CallContext,
): AsyncGenerator<DownloadAdapterResponse, Refusal | undefined> {
  const slot = deps.downloadSlots.take();
  try {
    const plan = await readPlan(deps, request);
    if (isRefusal(plan)) return plan;
    yield { body: { $case: 'layout', value: plan.layout } };
    let offset = request.offset;
    for await (const data of chunksOf(readPrefixes(deps.objectStore, plan, offset, call.signal))) {
      yield { body: { $case: 'chunk', value: { offset, data } } };
      offset += data.byteLength;
      deps.metrics.transferred('download', data.byteLength);
      bytesPassed(data.byteLength);
    }
    return undefined;
  } finally {
    slot.release();
  }
}

async function readPlan(deps: TransferDeps, request: DownloadAdapterRequest): Promise<DownloadPlan | Refusal> {
  const runId = parseRunId(request.runId);
  if (isRefusal(runId)) return runId;
  const head = await deps.reader.readHead(runId);
  if (head === null) return refuse('unknownRun', `there is no run ${runId}; allowed: a run that ListRuns shows`);
  const manifest = await deps.manifests.read(runId, request.version);
  if (manifest === null) {
    return refuse(
      'notPublished',
      `version ${request.version} of run ${runId} is not published; its open round is ${head.round}: ask for a version before that`,
    );
  }
  const plan = planDownload(head.spec, manifest, request.ranks);
  if (isRefusal(plan) || request.offset <= plan.layout.bytes) return plan;
  return refuse('badNumber', `offset is ${request.offset}; allowed: 0 to ${plan.layout.bytes}, the adapter's bytes`);
}

async function* readPrefixes(
  objectStore: ObjectStore,
  plan: DownloadPlan,
  offset: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  let skip = offset;
  for (const { objectName, bytes } of plan.prefixes) {
    if (skip < bytes) yield* objectStore.read(objectName, { start: skip, end: bytes }, signal);
    skip = Math.max(0, skip - bytes);
  }
}

/** The same bytes in chunks of one size: what comes from a socket is small, what comes from memory is large. */
export async function* chunksOf(
  pieces: AsyncIterable<Uint8Array>,
  chunkBytes: number = DOWNLOAD_CHUNK_BYTES,
): AsyncGenerator<Buffer, void> {
  let chunk = allocateChunk(chunkBytes);
  let filled = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.byteLength; ) {
      const taken = Math.min(chunkBytes - filled, piece.byteLength - at);
      chunk.set(piece.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled < chunkBytes) continue;
      yield chunk;
      // The chunk that was handed on may still be on its way.
      chunk = allocateChunk(chunkBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}
