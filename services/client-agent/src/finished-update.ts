import { isRefusal, parseSha256, type Sha256Hex } from '@flexlora/core';
import { z } from 'zod';

/** A trained update that waits to be accepted: what its journal says. The bytes are beside it. */
export interface FinishedUpdate {
  readonly version: 1;
  readonly round: number;
  /** Size and SHA-256 of `adapter_model.safetensors`. */
  readonly bytes: number;
  readonly sha256: Sha256Hex;
  readonly samples: number;
  /** Nats per token at the last step, or null. */
  readonly loss: number | null;
  /** The upload under way, or null: a restarted agent goes on with it. */
  readonly upload: OpenUpload | null;
}

export interface OpenUpload {
  readonly uploadId: string;
  readonly chunkBytesMax: number;
}

const journal = z.object({
  version: z.literal(1),
  round: z.int().min(0),
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

export const encodeFinishedUpdate = (update: FinishedUpdate): string => `${JSON.stringify(update, null, 2)}\n`;

/** Null for a text that this version cannot go on with. */
export function parseFinishedUpdate(text: string): FinishedUpdate | null {
  try {
    return journal.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
