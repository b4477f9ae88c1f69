/** A field of a protobuf message with a number of up to 64 bits; the last of its kind in a message counts. */
export const numberField = (field: number, value: bigint): Buffer =>
  Buffer.concat([varint(BigInt(field) << 3n), varint(value)]);

export function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}
