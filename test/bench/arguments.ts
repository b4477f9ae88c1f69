import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Wrong arguments: the message says what was got and what is allowed. */
export class UsageError extends Error {}

export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const number = Number(text);
  if (/^[0-9]+$/.test(text) && number >= min && number <= max) return number;
  throw new UsageError(`${option} is "${text}"; allowed: a whole number from ${min} to ${max}`);
}

/** A list with commas in between. */
export function wholeNumbers(option: string, text: string, min: number, max: number): readonly number[] {
  return text.split(',').map((part) => wholeNumber(option, part, min, max));
}

export function namedBy<Named>(
  option: string,
  text: string,
  allowed: readonly Named[],
  nameOf: (named: Named) => string,
): readonly Named[] {
  return text.split(',').map((name) => {
    const found = allowed.find((each) => nameOf(each) === name);
    if (found !== undefined) return found;
    throw new UsageError(`${option} is "${name}"; allowed: ${allowed.map(nameOf).join(', ')}`);
  });
}

const INSTALLED = fileURLToPath(new URL('../../.cache/peft-venv/bin/python', import.meta.url));

/**
 * The Python of the reference: the one that was named, or that `FLEXLORA_PEFT_PYTHON` names, or that of `.cache/peft-venv`; null where
 * there is none, or "none" was named. One that was named and is not there is refused.
 */
export function referencePython(named: string | undefined): string | null {
  if (named === 'none') return null;
  const asked = named ?? (process.env['FLEXLORA_PEFT_PYTHON'] || undefined);
  if (asked === undefined) return existsSync(INSTALLED) ? INSTALLED : null;
  if (existsSync(asked)) return asked;
  throw new UsageError(`--reference is "${asked}", which is not there; allowed: a Python that has numpy, or none`);
}
