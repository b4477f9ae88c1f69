/** Cuts a stream of bytes into lines of bounded length. */
export interface LineSplitter {
  /** The lines that `chunk` completes, without their ends; or that the line under way is longer than allowed: then it is done for. */
  push(chunk: Uint8Array): readonly string[] | 'tooLong';
}

const LINE_FEED = 0x0a;

export function createLineSplitter(lineBytesMax: number): LineSplitter {
  let held: Uint8Array[] = [];
  let heldBytes = 0;

  return {
    push(chunk) {
      const lines: string[] = [];
      let from = 0;
      for (;;) {
        const end = chunk.indexOf(LINE_FEED, from);
        const piece = chunk.subarray(from, end < 0 ? chunk.length : end);
        heldBytes += piece.byteLength;
        if (heldBytes > lineBytesMax) {
          held = [];
          return 'tooLong';
        }
        held.push(piece);
        if (end < 0) return lines;
        lines.push(Buffer.concat(held).toString('utf8'));
        held = [];
        heldBytes = 0;
        from = end + 1;
      }
    },
  };
}
