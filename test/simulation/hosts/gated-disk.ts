import type { AgentDisk, DiskFile } from '@flexlora/client-agent';
import type { Gate } from './gate.ts';

/** A disk as one process reaches it: what a dead process still meant to write is not written. */
export function gatedDisk(gate: Gate, disk: AgentDisk): AgentDisk {
  const pass = <T>(call: string, perform: () => Promise<T>): Promise<T> =>
    gate.pass(`disk.${call}`, { latencyMs: () => 0, perform, fault: (why) => brokenDisk(`${call}: ${why}`) });

  const fileOf = (file: DiskFile): DiskFile => ({
    read: (into, position) => pass('readFile', () => file.read(into, position)),
    write: (bytes, position) => pass('writeFile', () => file.write(bytes, position)),
    sync: () => pass('syncFile', () => file.sync()),
    close: () => pass('closeFile', () => file.close()),
  });

  return {
    makeDirectory: (path) => pass('makeDirectory', () => disk.makeDirectory(path)),
    list: (path) => pass('list', () => disk.list(path)),
    size: (path) => pass('size', () => disk.size(path)),
    read: (path) => pass('read', () => disk.read(path)),
    open: async (path, use) => {
      const file = await pass('open', () => disk.open(path, use));
      return file === null ? null : fileOf(file);
    },
    create: async (path) => fileOf(await pass('create', () => disk.create(path))),
    sync: (path) => pass('sync', () => disk.sync(path)),
    rename: (from, to) => pass('rename', () => disk.rename(from, to)),
    remove: (path) => pass('remove', () => disk.remove(path)),
  };
}

const brokenDisk = (what: string): Error => Object.assign(new Error(`EIO: ${what}`), { code: 'EIO' });
