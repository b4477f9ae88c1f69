import { F32_MAX, F32_NORMAL_MIN, TOLERANCE_MAX, TOLERANCE_MIN, TOLERANCE_STANDARD } from '@flexlora/core';

/** An argument that is not allowed: the message says what was got and what is. */
export class UsageError extends Error {}

export function required(option: string, value: string | undefined, allowed: string): string {
  if (value === undefined || value === '') throw new UsageError(`${option} is missing; allowed: ${allowed}`);
  return value;
}

export function natural(option: string, text: string | undefined, min: number, max: number): number {
  const allowed = `an integer from ${min} to ${max}`;
  const value = required(option, text, allowed);
  const number = Number(value);
  if (/^[0-9]+$/.test(value) && number >= min && number <= max) return number;
  throw new UsageError(`${option} is "${value}"; allowed: ${allowed}`);
}

/** α / rank scales the model, and α · rank is a step of the configuration: f32 must hold both with all their digits. */
export function alphaOf(text: string, rank: number): number {
  const alpha = Number(text);
  if (text.trim() !== '' && alpha / rank >= F32_NORMAL_MIN && alpha * rank <= F32_MAX) return alpha;
  throw new UsageError(
    `--alpha is "${text}"; allowed: a number above 0 that f32 holds when it is divided by and multiplied with the rank ${rank}, such as ${rank}`,
  );
}

export function oneOf<Name extends string>(option: string, text: string, allowed: readonly Name[]): Name {
  const found = allowed.find((name) => name === text);
  if (found === undefined) throw new UsageError(`${option} is "${text}"; allowed: ${allowed.join(', ')}`);
  return found;
}

export function toleranceOf(text: string): number {
  if (text === 'exact') return TOLERANCE_MIN;
  const ratio = Number(text);
  if (text.trim() !== '' && ratio >= TOLERANCE_MIN && ratio <= TOLERANCE_MAX) return ratio;
  throw new UsageError(
    `--tolerance is "${text}"; allowed: exact, or a ratio from ${TOLERANCE_MIN} to ${TOLERANCE_MAX}, such as ${TOLERANCE_STANDARD}`,
  );
}

const UNITS: Readonly<Record<string, number>> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

export function bytesOfText(option: string, text: string): number {
  const [, digits, unit] = /^([0-9]+)(|[KMGT]iB)$/.exec(text) ?? [];
  const bytes = Number(digits) * UNITS[unit ?? '']!;
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new UsageError(
    `${option} is "${text}"; allowed: a whole number of bytes above 0, or of KiB, MiB, GiB or TiB, such as 2GiB`,
  );
}
