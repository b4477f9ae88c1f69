import { createHash } from 'node:crypto';
import { createFileObjectStore, PART_BYTES_MIN } from '@flexlora/stores';

/** Writes objects in all three ways until it is killed, and says the name of each once the store has acknowledged it. */
const [directory = '', life = ''] = process.argv.slice(2);
const store = createFileObjectStore({ directory });

/** A digest, then what it is the digest of. */
function sealed(length: number, fill: number): Uint8Array {
  const body = new Uint8Array(length).fill(fill);
  return Buffer.concat([createHash('sha256').update(body).digest(), body]);
}

for (let i = 0; ; i += 1) {
  const folder = `${life}/${i}`;
  await store.put('replaced', sealed(100_000 + i, i));
  process.send?.('replaced');
  await store.putIfAbsent(`${folder}/new`, sealed(1_000, i));
  process.send?.(`${folder}/new`);
  const whole = sealed(PART_BYTES_MIN, i);
  const token = await store.beginUpload(`${folder}/parts`);
  await store.writePart(`${folder}/parts`, token, 1, whole.subarray(0, PART_BYTES_MIN));
  await store.writePart(`${folder}/parts`, token, 2, whole.subarray(PART_BYTES_MIN));
  await store.completeUpload(`${folder}/parts`, token);
  process.send?.(`${folder}/parts`);
}
