import { crc32c as checksum } from '@node-rs/crc32';

/** CRC32C (Castagnoli, RFC 3720 B.4) by the processor's own instruction: 32 bits, unsigned. */
export const crc32c = (bytes: Uint8Array): number => checksum(bytes);
