import type { RunId } from '@flexlora/core';
import type { StoreSignal } from './port.ts';

/** A signal as a line on the channel: `offered <run>`, `released <run>`, `committed <run> <version>`. */
export const offeredSignal = (runId: RunId): string => `offered ${runId}`;
export const releasedSignal = (runId: RunId): string => `released ${runId}`;
/** The commit script adds the version that it gave. */
export const committedSignalPrefix = (runId: RunId): string => `committed ${runId} `;

/** Null for what another program, or a later version of this one, put on the channel. */
export function parseSignal(line: string): StoreSignal | null {
  const [kind, runId, version, ...rest] = line.split(' ');
  if (runId === undefined || runId === '' || rest.length > 0) return null;
  if ((kind === 'offered' || kind === 'released') && version === undefined) return { kind, runId: runId as RunId };
  if (kind === 'committed' && version !== undefined && /^[1-9][0-9]{0,15}$/.test(version))
    return { kind, runId: runId as RunId, version: Number(version) };
  return null;
}
