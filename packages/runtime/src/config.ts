import type { z } from 'zod';

/** One setting of a process: its name in the environment, what it may be, and what a person needs to know to set it. */
export interface Setting<T> {
  readonly env: string;
  /** Parses the text of the environment; a default makes the setting optional. */
  readonly schema: z.ZodType<T>;
  /** In words: `1 to 65535`, `a redis:// or rediss:// URL`. */
  readonly allowed: string;
  readonly example: string;
  readonly about: string;
  /** True keeps the text out of messages: a password, or a URL that may hold one. */
  readonly secret?: true;
}

export type Settings = Readonly<Record<string, Setting<unknown>>>;
export type ConfigOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** The environment does not make a configuration. The message lists every fault, not the first. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(
      `the configuration has ${problems.length} problem${problems.length === 1 ? '' : 's'}:\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    );
    this.problems = problems;
  }
}

export function setting<T>(definition: Setting<T>): Setting<T> {
  return definition;
}

/**
 * Reads every setting from `env`. An empty text counts as absent.
 *
 * @throws {ConfigError} with one line a problem: what was got, what is allowed, an example.
 */
export function readConfig<S extends Settings>(
  settings: S,
  env: Readonly<Record<string, string | undefined>>,
): ConfigOf<S> {
  const problems: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [key, definition] of Object.entries(settings)) {
    const text = env[definition.env] === '' ? undefined : env[definition.env];
    const parsed = definition.schema.safeParse(text);
    if (parsed.success) config[key] = parsed.data;
    else {
      const shown = definition.secret === true ? `a text of ${text?.length} characters` : JSON.stringify(text);
      const got = text === undefined ? 'is not set' : `is ${shown}`;
      problems.push(
        `${definition.env} ${got}; allowed: ${definition.allowed}; for example ${definition.env}=${definition.example}`,
      );
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config as ConfigOf<S>;
}

/** The settings as rows of a reference page. */
export function describeSettings(settings: Settings): readonly {
  readonly env: string;
  readonly allowed: string;
  readonly standard: string;
  readonly example: string;
  readonly about: string;
}[] {
  return Object.values(settings).map(({ env, allowed, example, about, schema }) => {
    const standard = schema.safeParse(undefined);
    return { env, allowed, example, about, standard: standard.success ? String(standard.data ?? 'none') : 'required' };
  });
}
