const words = new Uint32Array(1);
const float = new Float32Array(words.buffer);

/** f32 to IEEE binary16, rounded to nearest, ties to even; too large becomes infinity. */
export function float32ToF16(values: Float32Array): Uint16Array<ArrayBuffer> {
  return Uint16Array.from(values, (value) => {
    float[0] = value;
    const word = words[0]!;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = Math.abs(value);
    if (Number.isNaN(value)) return sign | 0x7e00;
    if (magnitude >= 65_520) return sign | 0x7c00;
    if (magnitude < 2 ** -14) return sign | roundHalfEven(magnitude * 2 ** 24);
    // Drop 13 bits of the fraction; a carry runs into the exponent, as it should. 112 is the difference of the two biases.
    return sign | roundHalfEven(((word & 0x7fffffff) - (112 << 23)) / 8192);
  });
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
