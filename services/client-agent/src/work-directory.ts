import { join } from 'node:path';
import type { Logger } from '@flexlora/runtime';
import type { AgentDisk } from './disk/agent-disk.ts';
import { renameDurably, writeDurably } from './durable-file.ts';
import { encodeFinishedUpdate, type FinishedUpdate, parseFinishedUpdate } from './finished-update.ts';
import { ADAPTERS_KEPT, JOURNAL_BYTES_MAX, UPDATES_WAITING_MAX } from './limits.ts';
import { appendReceipt, RECEIPTS_FILE, type Receipt } from './receipts.ts';

/**
 * What an agent keeps on disk. One process at a time works in it.
 *
 *     <work directory>/<run id>/<agent id>/
 *       adapters/v00000012-4f3a9c1e/      PEFT directory to start from (version, digest of the ranks), and layout.bin, its proof
 *       adapters/v00000012-4f3a9c1e.part/ a download under way: layout.bin, prefix.bin
 *       training/round-00000013/          what the trainer writes, until it is finished
 *       updates/round-00000013/           a finished update: adapter_model.safetensors, journal.json
 *       feedback.safetensors              what the last accepted int8 update lost; a finished one has its own beside it until it is accepted
 *       receipts.jsonl                    what the platform answered to those that it accepted; nothing is swept from it
 *
 * What is in `adapters/` without `.part` and in `updates/` is complete: it is written elsewhere and renamed. Everything else is worth
 * nothing after a restart but a `.part`, which goes on. Older than the newest few of each is swept.
 */
export interface WorkDirectory {
  /** Where an adapter is when it is complete. */
  adapterPath(key: string): string;
  /** Where its download goes on; made when it is absent. */
  downloadPath(key: string): Promise<string>;
  /** Takes a complete PEFT directory as this adapter, and sweeps older ones. */
  keepAdapter(key: string, directory: string): Promise<void>;
  dropAdapter(key: string): Promise<void>;
  /** Where the trainer writes: absent, in a directory that is there. */
  trainingPath(round: number): Promise<string>;
  /** Takes what the trainer wrote as a finished update. From here on a restart sends it and does not train again. */
  keepUpdate(update: FinishedUpdate): Promise<void>;
  /** The file that is sent. */
  updateFile(round: number): string;
  saveUpdate(update: FinishedUpdate): Promise<void>;
  dropUpdate(round: number): Promise<void>;
  /** What the last accepted update lost, if it was quantised. */
  feedbackFile(): string;
  /** Takes what this accepted update lost in place of what an earlier one did. */
  keepFeedback(round: number): Promise<void>;
  /** Kept before the update that it is for is dropped. */
  keepReceipt(receipt: Receipt): Promise<void>;
  /** Finished updates, the oldest first. */
  updatesWaiting(): Promise<readonly FinishedUpdate[]>;
}

export const UPDATE_FILE = 'adapter_model.safetensors';
export const FEEDBACK_FILE = 'feedback.safetensors';
const JOURNAL_FILE = 'journal.json';
const PART = '.part';

export async function openWorkDirectory(
  options: { readonly path: string; readonly runId: string; readonly agentId: string },
  { disk, logger }: { readonly disk: AgentDisk; readonly logger: Logger },
): Promise<WorkDirectory> {
  const root = join(options.path, options.runId, options.agentId);
  const [adapters, training, updates] = [join(root, 'adapters'), join(root, 'training'), join(root, 'updates')];
  await disk.remove(training);
  for (const directory of [adapters, training, updates]) await disk.makeDirectory(directory);
  await sweepAdapters(disk, adapters);
  await sweepUpdates(disk, updates, logger);

  const trainingOf = (round: number): string => join(training, roundName(round));
  const updateOf = (round: number): string => join(updates, roundName(round));

  return {
    adapterPath: (key) => join(adapters, key),
    downloadPath: async (key) => {
      const path = join(adapters, `${key}${PART}`);
      await disk.makeDirectory(path);
      await sweepAdapters(disk, adapters, key);
      return path;
    },
    keepAdapter: async (key, directory) => {
      await disk.remove(join(adapters, key));
      await disk.rename(directory, join(adapters, key));
      await sweepAdapters(disk, adapters, key);
    },
    dropAdapter: async (key) => {
      await disk.remove(join(adapters, key));
      await disk.remove(join(adapters, `${key}${PART}`));
    },
    trainingPath: async (round) => {
      await disk.remove(trainingOf(round));
      return trainingOf(round);
    },
    keepUpdate: async (update) => {
      const from = trainingOf(update.round);
      await disk.sync(join(from, UPDATE_FILE));
      await writeDurably(disk, join(from, JOURNAL_FILE), encodeFinishedUpdate(update));
      await disk.remove(updateOf(update.round));
      await renameDurably(disk, from, updateOf(update.round));
    },
    updateFile: (round) => join(updateOf(round), UPDATE_FILE),
    saveUpdate: (update) =>
      writeDurably(disk, join(updateOf(update.round), JOURNAL_FILE), encodeFinishedUpdate(update)),
    dropUpdate: (round) => disk.remove(updateOf(round)),
    feedbackFile: () => join(root, FEEDBACK_FILE),
    keepFeedback: async (round) => {
      const lost = join(updateOf(round), FEEDBACK_FILE);
      if ((await disk.size(lost)) !== null) await renameDurably(disk, lost, join(root, FEEDBACK_FILE));
    },
    keepReceipt: (receipt) => appendReceipt(disk, join(root, RECEIPTS_FILE), receipt),
    updatesWaiting: async () => {
      const waiting: FinishedUpdate[] = [];
      for (const name of [...(await disk.list(updates))].sort()) {
        const update = await readUpdate(disk, join(updates, name));
        if (update !== null) waiting.push(update);
      }
      return waiting;
    },
  };
}

/** Eight digits: names sort as numbers do. */
const roundName = (round: number): string => `round-${String(round).padStart(8, '0')}`;
export const versionName = (version: number): string => `v${String(version).padStart(8, '0')}`;

/** Keeps the newest adapters and the newest download under way; `inUse` counts as the newest. */
async function sweepAdapters(disk: AgentDisk, directory: string, inUse: string | null = null): Promise<void> {
  const isInUse = (name: string): number => (name === inUse || name === `${inUse}${PART}` ? 1 : 0);
  const names = [...(await disk.list(directory))].sort((a, b) => isInUse(b) - isInUse(a) || (a < b ? 1 : -1));
  const old = [
    ...names.filter((name) => !name.endsWith(PART)).slice(ADAPTERS_KEPT),
    ...names.filter((name) => name.endsWith(PART)).slice(1),
  ];
  for (const name of old) await disk.remove(join(directory, name));
}

async function sweepUpdates(disk: AgentDisk, directory: string, logger: Logger): Promise<void> {
  const names = [...(await disk.list(directory))].sort().reverse();
  for (const [index, name] of names.entries()) {
    const update = index < UPDATES_WAITING_MAX ? await readUpdate(disk, join(directory, name)) : null;
    if (update !== null) continue;
    logger.warn(
      { update: name, kept: UPDATES_WAITING_MAX },
      'an update on disk is not whole, or too old: it is removed',
    );
    await disk.remove(join(directory, name));
  }
}

/** Null when the directory does not hold a whole update. */
async function readUpdate(disk: AgentDisk, directory: string): Promise<FinishedUpdate | null> {
  const journal = join(directory, JOURNAL_FILE);
  const journalBytes = await disk.size(journal);
  if (journalBytes === null || journalBytes > JOURNAL_BYTES_MAX) return null;
  const text = await disk.read(journal);
  const update = text === null ? null : parseFinishedUpdate(text.toString('utf8'));
  if (update === null) return null;
  return (await disk.size(join(directory, UPDATE_FILE))) === update.bytes ? update : null;
}
