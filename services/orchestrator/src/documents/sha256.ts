import { createHash } from 'node:crypto';
import type { Sha256Hex } from '@flexlora/core';

/** Of bytes, or of a text's UTF-8. */
export const sha256Of = (content: Uint8Array | string): Sha256Hex =>
  createHash('sha256').update(content).digest('hex') as Sha256Hex;
