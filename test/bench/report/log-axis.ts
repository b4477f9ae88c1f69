/** Maps values to pixels on a logarithmic scale. */
export interface LogAxis {
  position(value: number): number;
  /** Powers of ten within the range. */
  readonly ticks: readonly number[];
}

/** Covers all values, with a twelfth of their range as margin, and at least one power of ten. Values are above zero. */
export function createLogAxis(values: readonly number[], from: number, to: number): LogAxis {
  const logs = values.map(Math.log10);
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  const margin = Math.max((high - low) / 12, 0.1);
  // A range between two powers of ten would have no tick: it is widened to the nearer one.
  const widened = Math.floor(high + margin) < low - margin ? [Math.floor(low), high] : [low, high];
  const [first, last] = [widened[0]! - margin, widened[1]! + margin];
  const ticks: number[] = [];
  for (let power = Math.ceil(first); power <= last; power++) ticks.push(10 ** power);
  return { ticks, position: (value) => from + ((Math.log10(value) - first) / (last - first)) * (to - from) };
}
