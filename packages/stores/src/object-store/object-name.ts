/**
 * Which names every object store takes: what S3, MinIO and a file system all keep apart. Names are made by the platform from checked ids
 * (see `object-names` in the core), so a name outside this is a bug, not a refusal.
 */
export const OBJECT_NAME_BYTES_MAX = 900;
/** File systems allow 255. */
export const NAME_SEGMENT_BYTES_MAX = 240;

const NAME_RULE = `segments of 1 to ${NAME_SEGMENT_BYTES_MAX} bytes joined by "/", not "." or "..", without control characters and backslashes, well-formed Unicode, ${OBJECT_NAME_BYTES_MAX} bytes in all`;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const FORBIDDEN = /[\u0000-\u001f\u007f\\]/;

export const isObjectName = (name: string): boolean => name.split('/').every(isSegment) && isBounded(name);

export function assertObjectName(name: string): void {
  if (isObjectName(name)) return;
  throw new RangeError(`object name is ${JSON.stringify(name.slice(0, 200))}; allowed: ${NAME_RULE}`);
}

/** A prefix is the beginning of a name: it may be empty, and its last segment may be cut off anywhere. */
export function assertObjectPrefix(prefix: string): void {
  const segments = prefix.split('/');
  const last = segments.pop() ?? '';
  const isLastFine = last === '' || last === '.' || last === '..' || isSegment(last);
  if (segments.every(isSegment) && isLastFine && isBounded(prefix)) return;
  throw new RangeError(
    `object prefix is ${JSON.stringify(prefix.slice(0, 200))}; allowed: the beginning of ${NAME_RULE}`,
  );
}

function isSegment(segment: string): boolean {
  const bytes = Buffer.byteLength(segment);
  return (
    bytes > 0 && bytes <= NAME_SEGMENT_BYTES_MAX && segment !== '.' && segment !== '..' && !FORBIDDEN.test(segment)
  );
}

const isBounded = (text: string): boolean => text.isWellFormed() && Buffer.byteLength(text) <= OBJECT_NAME_BYTES_MAX;

/** The order in which S3 lists: by the bytes of UTF-8, which differs from JavaScript's above U+D7FF. */
export const compareNames = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
