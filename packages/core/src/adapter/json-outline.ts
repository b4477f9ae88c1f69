/** What a JSON text is like, from its bytes alone. */
export interface JsonOutline {
  /** Members of all its objects, with those whose name stands twice in one object. */
  readonly members: number;
  /** Objects and lists within one another, at most. */
  readonly depth: number;
}

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];
const [OBJECT, OBJECT_END, LIST, LIST_END] = [0x7b, 0x7d, 0x5b, 0x5d];

/** @param bytes UTF-8; where it is not JSON the outline means nothing. */
export function outlineJson(bytes: Uint8Array): JsonOutline {
  let [members, depth, deepest] = [0, 0, 0];
  let isText = false;
  for (let at = 0; at < bytes.byteLength; at += 1) {
    const byte = bytes[at];
    if (isText) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) isText = false;
    } else if (byte === QUOTE) isText = true;
    // Outside its texts JSON has a colon for each member and nowhere else.
    else if (byte === COLON) members += 1;
    else if (byte === OBJECT || byte === LIST) {
      depth += 1;
      deepest = Math.max(deepest, depth);
    } else if (byte === OBJECT_END || byte === LIST_END) depth -= 1;
  }
  return { members, depth: deepest };
}

/** Members of all objects of a value that was read from JSON: fewer than its text has where a name stands twice. */
export function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inner: unknown[] = Object.values(value);
  return inner.reduce<number>((count, item) => count + countMembers(item), Array.isArray(value) ? 0 : inner.length);
}
