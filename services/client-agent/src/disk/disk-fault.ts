/** What a disk says that may be well again: it is full, it failed, or too much is open. Anything else is a directory that cannot be used. */
const PASSING = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE', 'EAGAIN', 'EBUSY', 'ETIMEDOUT', 'ESTALE']);

export const isDiskFault = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && PASSING.has((error as NodeJS.ErrnoException).code ?? '');
