import { LINE_BYTES_MAX } from './limits.ts';

const LINE_FEED = 10;

/** Lines of UTF-8 without their ends, blank ones left out; null stands for a line above the limit, whose bytes are not kept. */
export async function* splitLines(input: AsyncIterable<Uint8Array>): AsyncGenerator<string | null> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  const take = (): string | null => {
    const line = heldBytes > LINE_BYTES_MAX ? null : Buffer.concat(held).toString('utf8').trim();
    held = [];
    heldBytes = 0;
    return line;
  };
  const hold = (bytes: Uint8Array): void => {
    heldBytes += bytes.length;
    if (heldBytes > LINE_BYTES_MAX) held = [];
    else held.push(bytes);
  };
  for await (const chunk of input) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      hold(chunk.subarray(start, end));
      start = end + 1;
      const line = take();
      if (line !== '') yield line;
    }
    hold(chunk.subarray(start));
  }
  const line = take();
  if (line !== '') yield line;
}
