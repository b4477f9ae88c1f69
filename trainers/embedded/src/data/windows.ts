import { NO_TARGET } from '../engine/transformer.ts';
import { TrainerError } from '../trainer-error.ts';
import type { SeededRandom } from './seeded-random.ts';

/** `batch` rows of `length` bytes, and for each byte the one that follows it. */
export interface Windows {
  readonly inputs: Uint8Array<ArrayBuffer>;
  readonly targets: Int32Array<ArrayBuffer>;
}

/** Training sequences in a text: windows that do not overlap. Throws `bad_data` where there is not one. */
export function countWindows(text: Uint8Array, length: number): number {
  const count = Math.floor((text.length - 1) / length);
  if (count < 1) throw new TrainerError('bad_data', `data has ${text.length} bytes; at least ${length + 1} are needed`);
  return count;
}

/** Windows at random places of the text. */
export function sampleWindows(text: Uint8Array, length: number, batch: number, random: SeededRandom): Windows {
  const windows = emptyWindows(length, batch);
  for (let row = 0; row < batch; row++) fill(windows, row, text, random.below(text.length - length), length);
  return windows;
}

/** The whole text once, in batches; the last is padded with windows that count for nothing. */
export function* consecutiveWindows(text: Uint8Array, length: number, batch: number): Generator<Windows> {
  const predicted = text.length - 1;
  for (let start = 0; start < predicted; start += length * batch) {
    const windows = emptyWindows(length, batch);
    for (let row = 0; row < batch && start + row * length < predicted; row++)
      fill(windows, row, text, start + row * length, length);
    yield windows;
  }
}

function emptyWindows(length: number, batch: number): Windows {
  return { inputs: new Uint8Array(length * batch), targets: new Int32Array(length * batch).fill(NO_TARGET) };
}

function fill(windows: Windows, row: number, text: Uint8Array, start: number, length: number): void {
  const count = Math.min(length, text.length - 1 - start);
  windows.inputs.set(text.subarray(start, start + count), row * length);
  windows.targets.set(text.subarray(start + 1, start + 1 + count), row * length);
}
