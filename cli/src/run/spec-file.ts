import { createReadStream } from 'node:fs';
import { Fault } from '@flexlora/core';
import { SPEC_FILE_BYTES_MAX } from './limits.ts';

/** @param path `-` reads standard input. @throws {Fault} for a file that is too large; an error of the file system as it is. */
export async function readSpecFile(path: string): Promise<{ readonly name: string; readonly text: string }> {
  const [name, stream] = path === '-' ? ['standard input', process.stdin] : [path, createReadStream(path)];
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    bytes += piece.byteLength;
    if (bytes > SPEC_FILE_BYTES_MAX)
      throw new Fault(
        `${name} has more than ${SPEC_FILE_BYTES_MAX} bytes; allowed: at most so many: give a run's specification, not an adapter`,
      );
    pieces.push(piece);
  }
  return { name, text: Buffer.concat(pieces).toString('utf8') };
}
