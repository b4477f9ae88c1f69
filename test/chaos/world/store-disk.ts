import { execFileSync } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { endsWithUs } from '../../harness/processes/process-group.ts';
import { type AnsweringProxy, openAnsweringProxy } from '../../harness/proxy/answering-proxy.ts';

/** A disk of the object store that can be filled. */
export interface StoreDisk {
  /** `mounted`: a file system of its own is full. `answered`: every write is answered as a full store answers. */
  readonly how: 'mounted' | 'answered';
  fill(): Promise<void>;
  empty(): Promise<void>;
}

export interface MountedDisk extends StoreDisk {
  /** For the store's data. */
  readonly directory: string;
  unmount(): void;
}

const PIECE = Buffer.alloc(4 << 20);

/** Null where this machine does not let us mount one. */
export async function mountStoreDisk(path: string, bytes: number): Promise<MountedDisk | null> {
  await mkdir(path, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'flexlora-chaos', path], { stdio: 'ignore' });
  } catch {
    return null;
  }
  let isMounted = true;
  const unmount = (): void => {
    if (!isMounted) return;
    isMounted = false;
    execFileSync('umount', ['-l', path], { stdio: 'ignore' });
  };
  endsWithUs(unmount);
  const filler = join(path, 'filler');
  const directory = join(path, 'data');
  await mkdir(directory);
  return {
    how: 'mounted',
    directory,
    async fill() {
      const file = await open(filler, 'a');
      try {
        for (;;) await file.write(PIECE);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        await file.close();
      }
    },
    empty: () => rm(filler, { force: true }),
    unmount,
  };
}

/** S3's answer of a full store to everything that writes. */
export async function answerAsFull(storePort: number): Promise<StoreDisk & { readonly proxy: AnsweringProxy }> {
  const proxy = await openAnsweringProxy(storePort);
  const answer = (times: number): void =>
    proxy.answer({
      matches: ({ method }) => method === 'PUT' || method === 'POST',
      status: 507,
      code: 'XMinioStorageFull',
      times,
    });
  return {
    how: 'answered',
    proxy,
    fill: async () => answer(Number.POSITIVE_INFINITY),
    empty: async () => answer(0),
  };
}
