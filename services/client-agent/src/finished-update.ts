import { isDeepStrictEqual } from 'node:util';
import { isRefusal, parseSha256, type Sha256Hex } from '@flexlora/core';
import { z } from 'zod';

/** A trained update that waits to be accepted: what its journal says. The bytes are beside it. */
export interface FinishedUpdate {
  readonly version: 1;
  readonly round: number;
  /** Of the assignment that it answers: reports about it name it. */
  readonly handout: number;
  /** What it was made for: only the same assignment may be answered with it. */
  readonly madeFor: MadeFor;
  /** Size and SHA-256 of `adapter_model.safetensors`. */
  readonly bytes: number;
  readonly sha256: Sha256Hex;
  readonly samples: number;
  /** Nats per token at the last step, or null. */
  readonly loss: number | null;
  /** The upload under way, or null: a restarted agent goes on with it. */
  readonly upload: OpenUpload | null;
}

/** All that an update follows from, beside its round and the agent's data. */
export interface MadeFor {
  readonly adapterVersion: number;
  /** By rank group. */
  readonly ranks: Readonly<Record<string, number>>;
  readonly seed: number;
}

export interface OpenUpload {
  readonly uploadId: string;
  readonly chunkBytesMax: number;
}

const journal = z.object({
  version: z.literal(1),
  round: z.int().min(0),
  // Journals of before there were hand-outs are of the first.
  handout: z.int().min(0).default(0),
  madeFor: z.object({ adapterVersion: z.int().min(0), ranks: z.record(z.string(), z.int().min(1)), seed: z.number() }),
  bytes: z.int().min(1),
  sha256: z.string().transform((text, context): Sha256Hex => {
    const digest = parseSha256('sha256', text);
    if (!isRefusal(digest)) return digest;
    context.addIssue(digest.message);
    return z.NEVER;
  }),
  samples: z.int().min(1),
  loss: z.number().nullable(),
  upload: z.object({ uploadId: z.string().max(2_048), chunkBytesMax: z.int().min(1) }).nullable(),
});

export const madeForOf = ({ adapterVersion, ranks, seed }: MadeFor): MadeFor => ({ adapterVersion, ranks, seed });

/** True when training for one gives what training for the other gives. */
export function isMadeFor(a: MadeFor & { readonly round: number }, b: MadeFor & { readonly round: number }): boolean {
  const { round, adapterVersion, ranks, seed } = a;
  return isDeepStrictEqual([round, adapterVersion, seed, ranks], [b.round, b.adapterVersion, b.seed, b.ranks]);
}

export const encodeFinishedUpdate = (update: FinishedUpdate): string => `${JSON.stringify(update, null, 2)}\n`;

/** Null for a text that this version cannot go on with. */
export function parseFinishedUpdate(text: string): FinishedUpdate | null {
  try {
    return journal.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
