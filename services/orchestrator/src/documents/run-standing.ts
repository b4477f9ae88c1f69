import { type RunId, type RunStanding, standingPrefix } from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import { parseDocument } from './parse-document.ts';

/** The newest that was written; null: an operator never decided anything, and the run has not ended. */
export async function readStanding(
  objectStore: ObjectStore,
  runId: RunId,
  signal: AbortSignal,
): Promise<RunStanding | null> {
  const newest = await newestStandingName(objectStore, runId, signal);
  const bytes = newest === null ? null : await objectStore.get(newest, undefined, signal);
  return newest === null || bytes === null ? null : parseDocument<RunStanding>(newest, bytes);
}

async function newestStandingName(objectStore: ObjectStore, runId: RunId, signal: AbortSignal): Promise<string | null> {
  let newest: string | null = null;
  for await (const { name } of objectStore.list(standingPrefix(runId), signal)) newest = name;
  return newest;
}
