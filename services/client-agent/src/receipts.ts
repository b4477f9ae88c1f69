import { dirname } from 'node:path';
import { isRefusal, parseSha256, type Sha256Hex } from '@flexlora/core';
import { z } from 'zod';
import type { AgentDisk } from './disk/agent-disk.ts';

/** What the platform answered to an update: it counts in that round's adapter, whose manifest lists the digest. */
export interface Receipt {
  /** The round that it counts in. */
  readonly round: number;
  /** Of the update's file. */
  readonly sha256: Sha256Hex;
  /** The round that it was trained for: another one where it came late and was carried over. */
  readonly trainedIn: number;
  readonly samples: number;
  readonly heardAtMs: number;
}

const receipt = z.object({
  round: z.int().min(0),
  sha256: z.string().transform((text, context): Sha256Hex => {
    const digest = parseSha256('sha256', text);
    if (!isRefusal(digest)) return digest;
    context.addIssue(digest.message);
    return z.NEVER;
  }),
  trainedIn: z.int().min(0),
  samples: z.int().min(1),
  heardAtMs: z.number(),
});

/** In an agent's own directory. */
export const RECEIPTS_FILE = 'receipts.jsonl';

const NEWLINE = 10;

/** Adds a line to a file of receipts. When it returns, the receipt survives a power cut. */
export async function appendReceipt(disk: AgentDisk, path: string, kept: Receipt): Promise<void> {
  const there = await disk.open(path, 'change');
  const file = there ?? (await disk.create(path));
  try {
    const bytes = (await disk.size(path)) ?? 0;
    const last = Buffer.alloc(1, NEWLINE);
    if (bytes > 0) await file.read(last, bytes - 1);
    // A line that a power cut left unfinished stays the only one that is lost.
    const separator = last[0] === NEWLINE ? '' : '\n';
    await file.write(Buffer.from(`${separator}${JSON.stringify(kept)}\n`), bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  if (there === null) await disk.sync(dirname(path));
}

/** The receipts of a file, each once: one that was kept twice, because the agent stopped before it had dropped its update, stands in it twice. */
export function parseReceipts(text: string): readonly Receipt[] {
  const receipts = new Map<string, Receipt>();
  for (const line of text.split('\n')) {
    const parsed = receipt.safeParse(parseJson(line));
    if (parsed.success) receipts.set(`${parsed.data.round} ${parsed.data.sha256}`, parsed.data);
  }
  return [...receipts.values()];
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
