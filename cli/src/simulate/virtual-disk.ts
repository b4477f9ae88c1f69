import { dirname } from 'node:path';
import { type AgentDisk, createMemoryDisk, type DiskFile } from '@flexlora/client-agent';
import type { Clock } from '@flexlora/runtime';

/** A device's disk in memory, and its line: what is sent is read no faster than the line carries it. */
export interface VirtualDisk {
  readonly disk: AgentDisk;
  /** Makes the PEFT directory of an update. */
  writeUpdate(directory: string, pieces: Iterable<Uint8Array>): Promise<void>;
  /** Removes the adapters that it keeps for a round that is opened again: thousands of devices share the memory of one process. */
  forgetAdapters(): Promise<void>;
  /** The device goes away: what was not synced is lost. */
  crash(): void;
}

export interface VirtualDiskOptions {
  readonly runId: string;
  readonly agentId: string;
  /** In seconds of the clock. */
  readonly uplinkBytesPerSecond: number;
}

/** The agent's work directory; every device has a disk of its own. */
export const WORK_DIRECTORY = 'work';
const UPDATE_FILE = 'adapter_model.safetensors';

export function createVirtualDisk(deps: { readonly clock: Clock }, options: VirtualDiskOptions): VirtualDisk {
  const { runId, agentId, uplinkBytesPerSecond } = options;
  const memory = createMemoryDisk();
  const home = `${WORK_DIRECTORY}/${runId}/${agentId}`;
  const paced = (file: DiskFile): DiskFile => ({
    ...file,
    read: async (into, position) => {
      const bytes = await file.read(into, position);
      await deps.clock.sleep((bytes * 1_000) / uplinkBytesPerSecond);
      return bytes;
    },
  });
  return {
    disk: {
      ...memory,
      remove: async (path) => {
        await memory.remove(path);
        // A power cut would bring it back, and until then it is kept: of thousands of devices, gigabytes.
        const parent = dirname(path);
        if ((await memory.list(parent).catch(() => null)) !== null) await memory.sync(parent);
      },
      open: async (path, use) => {
        const file = await memory.open(path, use);
        // A finished update is read for nothing but sending it.
        return file !== null && use === 'read' && path.startsWith(`${home}/updates/`) && path.endsWith(UPDATE_FILE)
          ? paced(file)
          : file;
      },
    },
    writeUpdate: async (directory, pieces) => {
      await memory.makeDirectory(directory);
      const file = await memory.create(`${directory}/${UPDATE_FILE}`);
      let position = 0;
      for (const piece of pieces) {
        await file.write(piece, position);
        position += piece.byteLength;
      }
      await file.close();
    },
    forgetAdapters: () => memory.remove(`${home}/adapters`),
    crash: memory.crash,
  };
}
