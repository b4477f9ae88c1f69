/**
 * One text for one value: keys sorted by UTF-16 code units, no white space. Two lease-holders that write the same document write the
 * same bytes, so that its digest names its content. `undefined` members are left out, as JSON does.
 */
export const canonicalJson = (value: unknown): string => JSON.stringify(value, sortedKeys);

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new RangeError(`a document cannot hold ${value}: numbers are checked where they enter`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
