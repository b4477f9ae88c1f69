/** @throws {RangeError} for what is no whole number from 1. */
export function checkWhole(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new RangeError(`${name} is ${value}; allowed: a whole number from 1`);
}
