import { isRefusal, type Refusal } from '@flexlora/core';
import { type DigestExtent, digestAdapter } from './adapter-directory.ts';
import type { WeighedAdapter } from './aggregate-module.ts';

/**
 * The order in which adapters are summed: it follows from what they are, not from how they are named. By the digest of their ends, which
 * were read with their headers; only adapters that are alike there are read whole.
 */
export async function inOrderOfContent(
  adapters: readonly WeighedAdapter[],
  signal: AbortSignal | undefined,
): Promise<readonly WeighedAdapter[] | Refusal> {
  const groups = await groupByDigest(adapters, 'ends', signal);
  if (isRefusal(groups)) return groups;
  const ordered: WeighedAdapter[] = [];
  for (const alike of groups) {
    // Adapters of one digest of the whole are equal: either order gives the same sum.
    const told = alike.length === 1 ? [alike] : await groupByDigest(alike, 'whole', signal);
    if (isRefusal(told)) return told;
    ordered.push(...told.flat());
  }
  return ordered;
}

/** In the order of the digests. */
async function groupByDigest(
  adapters: readonly WeighedAdapter[],
  extent: DigestExtent,
  signal: AbortSignal | undefined,
): Promise<readonly (readonly WeighedAdapter[])[] | Refusal> {
  const groups = new Map<string, WeighedAdapter[]>();
  for (const each of adapters) {
    const digest = await digestAdapter(each.adapter, each.samples, signal, extent);
    if (isRefusal(digest)) return digest;
    const alike = groups.get(digest);
    if (alike === undefined) groups.set(digest, [each]);
    else alike.push(each);
  }
  return [...groups.keys()].sort().map((digest) => groups.get(digest)!);
}
