/** What a user's file system may say, and what it means. */
const MEANINGS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not',
  EPERM: 'this user may not',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: "this user's share of the disk is used up",
  ENOENT: 'there is no such folder',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'something else has this name',
  EISDIR: 'it is a folder',
  EMFILE: 'this process may not open more files',
};

/** One sentence for an error of the file system that has to do with the user's folders; null for every other error. */
export function sentenceOfFileError(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  const meaning = code === undefined ? undefined : MEANINGS[code];
  if (meaning === undefined || syscall === undefined) return null;
  return `${syscall} ${path ?? 'of a file'} failed: ${meaning} (${code}); needed: a folder that can be written, with room on its disk`;
}
