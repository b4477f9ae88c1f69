import { ObjectStoreFault } from './port.ts';

/** What to do about an error of the file system, by its code. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full: free space on it',
  EDQUOT: 'the quota is used up: free space or raise it',
  EACCES: 'let this user read and write the directory',
  EPERM: 'use a directory of a file system with hard links, which this user may write',
  ENOTSUP: 'use a directory of a file system with hard links',
  EROFS: 'the file system is read-only: use another directory or mount it writable',
  EMFILE: 'too many files are open: raise the limit (ulimit -n)',
  EISDIR: 'an object cannot have the name of a folder of objects: use another name',
  ENOTDIR: 'a folder of objects cannot have the name of an object: use another name',
  EEXIST: 'an object and a folder of objects cannot have the same name: use another name',
  ENAMETOOLONG: 'the directory’s path is too long: use a shorter one',
  EIO: 'the disk is failing: look at the system log',
};

export function fileFault(doing: string, error: unknown): ObjectStoreFault {
  const said = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return new ObjectStoreFault(`the file store did not ${doing}: ${said}; ${ADVICE[code] ?? 'look at the directory'}`, {
    cause: error,
  });
}
