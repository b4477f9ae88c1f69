import { UsageError } from '../start/options.ts';
import type { RunClient } from './run-client.ts';

/** One thing that operators do: `flexlora run <verb>`. */
export interface RunVerb {
  /** One line of the help. */
  readonly summary: string;
  /** What stands after the verb: `<run> [--reason TEXT]`. */
  readonly usage: string;
  /** Lines of the help, one an argument or option. */
  readonly help: readonly string[];
  /** Options of its own; `--server`, `--json` and `--help` are everybody's. */
  readonly options: Readonly<Record<string, { readonly type: 'string' | 'boolean' }>>;
  /** @throws {UsageError} before anything is asked. */
  prepare(words: VerbWords): PreparedVerb;
}

/** Asks the server and prints. @throws {Fault} what could not be done, and why. */
export type PreparedVerb = (tools: VerbTools) => Promise<void>;

export interface VerbWords {
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
}

export interface VerbTools {
  readonly runs: RunClient;
  readonly signal: AbortSignal;
  /** Prints one of the two, as it was asked for: text with its line ends, or a document on a line of its own. */
  print(output: { readonly text: () => string; readonly json: () => unknown }): void;
}

/** The words that must stand there, by name. @throws {UsageError} */
export function positionals(words: VerbWords, ...names: readonly string[]): readonly string[] {
  const got = words.positionals;
  if (got.length === names.length) return got;
  const extra = got.slice(names.length).map((word) => JSON.stringify(word));
  throw new UsageError(
    extra.length > 0
      ? `there is ${extra.join(' ')}, which has no meaning here; allowed: ${names.join(' ') || 'no words'}`
      : `${names.slice(got.length).join(' and ')} missing; needed: ${names.join(' ')}`,
  );
}

/** The verbs that name a run and nothing else. @throws {UsageError} */
export const runIdOf = (words: VerbWords): string => positionals(words, '<run>')[0]!;

/** Null when it is not given. */
export function textOption({ values }: VerbWords, name: string): string | null {
  const value = values[name];
  return typeof value === 'string' ? value : null;
}

/** A reason for people, which stands in the run's standing. */
export const REASON_OPTION = { reason: { type: 'string' } } as const;
export const REASON_HELP = '--reason TEXT  for people: stands where the run says why it waits (none)';
export const reasonOf = (words: VerbWords): string => textOption(words, 'reason') ?? '';
