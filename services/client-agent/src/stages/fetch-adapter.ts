import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { AdapterLayout, type DownloadAdapterResponse } from '@flexlora/contracts/transfer/v1/transfer_service';
import { Fault, isRefusal, type Refusal, refuse } from '@flexlora/core';
import { bytesPassed, type Clock, cancelOn } from '@flexlora/runtime';
import { createComponentVerifier } from '../adapter/component-verifier.ts';
import { type DownloadPlan, planDownload } from '../adapter/plan-download.ts';
import type { AdapterWriter } from '../adapter/write-peft-directory.ts';
import { type AgentDisk, openChunks } from '../disk/agent-disk.ts';
import { writeDurably } from '../durable-file.ts';
import { createIdleWatch } from '../idle-watch.ts';
import { DIGEST_MISMATCHES_MAX, LAYOUT_BYTES_MAX } from '../limits.ts';
import type { PatientDoor } from '../patient-door.ts';
import type { Assignment, RunPlan } from '../translate.ts';
import { versionName, type WorkDirectory } from '../work-directory.ts';

export interface FetchAdapterDeps {
  readonly door: PatientDoor;
  readonly disk: AgentDisk;
  readonly work: WorkDirectory;
  readonly clock: Clock;
  readonly writeAdapter: AdapterWriter;
}

export interface FetchAdapterRequest {
  readonly runId: string;
  readonly plan: RunPlan;
  readonly assignment: Assignment;
  readonly idleMs: number;
  readonly onProgress: (bytes: number, total: number) => void;
  readonly signal: AbortSignal;
}

export interface FetchedAdapter {
  readonly kind: 'adapter';
  readonly key: string;
  /** A PEFT directory at the agent's ranks and scaling. */
  readonly path: string;
}

const LAYOUT_FILE = 'layout.bin';
const PREFIX_FILE = 'prefix.bin';
const PEFT_DIRECTORY = 'peft';

/**
 * Downloads the adapter that an assignment starts from. What is on disk and verified is never asked for again: not after a broken stream,
 * not after a restart, not when the same adapter is assigned once more. The layout, which names every component's digest, is asked for
 * each time: it proves that what is on disk is the adapter that is meant.
 */
export async function fetchAdapter(
  deps: FetchAdapterDeps,
  request: FetchAdapterRequest,
): Promise<FetchedAdapter | Refusal> {
  const { door, disk, work, writeAdapter } = deps;
  const { plan, assignment, signal } = request;
  const key = adapterKey(assignment, plan);
  const path = work.adapterPath(key);
  const directory = await work.downloadPath(key);
  const mismatches = { count: 0 };

  const download = await door.patiently(
    'download',
    (movedOn) => downloadOnce(deps, request, { directory, path, mismatches, movedOn }),
    signal,
  );
  if (isRefusal(download)) return download;
  if (download !== 'cached') {
    const made = join(directory, PEFT_DIRECTORY);
    const refusal = await writeAdapter(disk, join(directory, PREFIX_FILE), download.plan, plan, made);
    if (refusal !== null) return refusal;
    await writeDurably(disk, join(made, LAYOUT_FILE), download.layout);
    await work.keepAdapter(key, made);
  }
  await disk.remove(directory);
  return { kind: 'adapter', key, path };
}

/** Where the PEFT directory depends on more than the version: on the ranks and the scaling. */
function adapterKey({ adapterVersion, moduleRanks }: Assignment, { training }: RunPlan): string {
  const identity = JSON.stringify([Object.entries(moduleRanks).sort(), training.alpha, training.scaling]);
  return `${versionName(adapterVersion)}-${createHash('sha256').update(identity).digest('hex').slice(0, 8)}`;
}

interface Place {
  readonly directory: string;
  readonly path: string;
  readonly mismatches: { count: number };
  /** More is verified than before. */
  readonly movedOn: () => void;
}

interface Downloaded {
  readonly plan: DownloadPlan;
  readonly layout: Uint8Array;
}

/** One stream, from the first byte that is not verified. */
async function downloadOnce(
  { door, disk, clock }: FetchAdapterDeps,
  request: FetchAdapterRequest,
  place: Place,
): Promise<Downloaded | 'cached' | Refusal> {
  const { runId, assignment, signal, idleMs } = request;
  const known = await readKnown(disk, request, place.directory);
  const idle = new AbortController();
  const watch = createIdleWatch(clock, idleMs, () => idle.abort());
  const stream = cancelOn(
    door.transfers.downloadAdapter({
      runId,
      version: assignment.adapterVersion,
      ranks: { ...assignment.ranks },
      // With everything here, the layout is all that is missing.
      offset: known === null || known.verified === known.plan.bytes ? 0 : known.verified,
    }),
    AbortSignal.any([signal, idle.signal]),
  );
  stream.on('error', () => {});
  try {
    return await receive(disk, stream, request, place, known, watch.touch);
  } catch (error) {
    signal.throwIfAborted();
    if (idle.signal.aborted) throw new Fault(`nothing came for ${idleMs} ms`, { cause: error });
    throw error;
  } finally {
    watch.stop();
    stream.cancel();
  }
}

interface Known extends Downloaded {
  readonly verified: number;
}

async function receive(
  disk: AgentDisk,
  stream: AsyncIterable<DownloadAdapterResponse>,
  request: FetchAdapterRequest,
  place: Place,
  known: Known | null,
  touch: () => void,
): Promise<Downloaded | 'cached' | Refusal> {
  const messages = stream[Symbol.asyncIterator]();
  const first = await messages.next();
  const layout = first.done === true || first.value.body?.$case !== 'layout' ? null : first.value.body.value;
  if (layout === null) throw new Fault('the download began without a layout');
  const bytes = AdapterLayout.encode(layout).finish();
  if (await isSame(disk, join(place.path, LAYOUT_FILE), bytes)) return 'cached';
  if (known !== null && !Buffer.from(known.layout).equals(bytes)) {
    await disk.remove(join(place.directory, LAYOUT_FILE));
    throw new Fault('the adapter has another layout than before: its download begins anew');
  }
  const plan = planDownload(layout, request.plan, request.assignment.moduleRanks);
  if (isRefusal(plan)) return plan;
  if (known === null) await beginDownload(disk, place.directory, bytes);

  const verifier = createComponentVerifier(plan.components, known?.verified ?? 0);
  const verifiedBefore = verifier.verified();
  const file = await disk.open(join(place.directory, PREFIX_FILE), 'change');
  if (file === null)
    throw new Error(`${place.directory} was removed while a download went on in it: one agent at a time works in it`);
  try {
    let position = verifiedBefore;
    request.onProgress(position, plan.bytes);
    while (position < plan.bytes) {
      const next = await messages.next();
      touch();
      const chunk = next.done === true || next.value.body?.$case !== 'chunk' ? null : next.value.body.value;
      if (chunk === null) throw new Fault(`the download ended at byte ${position} of ${plan.bytes}`);
      if (chunk.offset !== position || chunk.data.byteLength > plan.bytes - position) {
        const got = `${chunk.data.byteLength} bytes at ${chunk.offset}`;
        throw new Fault(`the download went on with ${got}; ${plan.bytes - position} at ${position} are left`);
      }
      // Written before they are verified: what is not verified is read again, and found to be wrong, by the next try.
      await file.write(chunk.data, position);
      position += chunk.data.byteLength;
      bytesPassed(chunk.data.byteLength);
      if (!verifier.push(chunk.data)) return onMismatch(place, verifier.verified());
      if (verifier.verified() > verifiedBefore) place.movedOn();
      request.onProgress(position, plan.bytes);
    }
  } finally {
    await file.close();
  }
  return { plan, layout: bytes };
}

/** Asks again, or gives up when what is stored is wrong and not the line. */
function onMismatch({ mismatches }: Place, at: number): Refusal {
  mismatches.count += 1;
  const what = `the adapter's component at byte ${at} is not what its digest says`;
  if (mismatches.count < DIGEST_MISMATCHES_MAX) throw new Fault(`${what}: it is fetched again`);
  return refuse('badDigest', `${what}, ${mismatches.count} times: the stored adapter is broken`);
}

async function beginDownload(disk: AgentDisk, directory: string, layout: Uint8Array): Promise<void> {
  const file = await disk.create(join(directory, PREFIX_FILE));
  await file.close();
  await writeDurably(disk, join(directory, LAYOUT_FILE), layout);
}

/** What an earlier try left, verified again from the disk. Null when there is nothing to go on from. */
async function readKnown(
  disk: AgentDisk,
  { plan: run, assignment }: FetchAdapterRequest,
  directory: string,
): Promise<Known | null> {
  const layout = await readLayout(disk, join(directory, LAYOUT_FILE));
  if (layout === null) return null;
  const plan = planDownload(AdapterLayout.decode(layout), run, assignment.moduleRanks);
  if (isRefusal(plan)) return null;
  const chunks = await openChunks(disk, join(directory, PREFIX_FILE));
  if (chunks === null) return null;
  const verifier = createComponentVerifier(plan.components, 0);
  for await (const chunk of chunks) {
    if (!verifier.push(chunk)) break;
  }
  return { plan, layout, verified: verifier.verified() };
}

async function isSame(disk: AgentDisk, path: string, bytes: Uint8Array): Promise<boolean> {
  const there = await readLayout(disk, path);
  return there?.equals(bytes) === true;
}

async function readLayout(disk: AgentDisk, path: string): Promise<Buffer | null> {
  const bytes = await disk.size(path);
  return bytes === null || bytes > LAYOUT_BYTES_MAX ? null : disk.read(path);
}
