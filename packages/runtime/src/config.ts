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
/** Variables of a process, as Node gives them. */
export type Environment = Readonly<Record<string, string | undefined>>;
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

type Named = Pick<Setting<unknown>, 'env'>;

/** What must hold between settings, each of which is allowed by itself. */
export type SettingRule =
  | { readonly kind: 'together'; readonly one: Named; readonly other: Named }
  /** Without `needed` (or another value of it than `value`), `setting` would be ignored. */
  | { readonly kind: 'needs'; readonly setting: Named; readonly needed: Named; readonly value: string | null };

/** Both are set, or neither is. */
export const together = (one: Named, other: Named): SettingRule => ({ kind: 'together', one, other });

/** Where the first is set, the second is set too: to `value`, if one is given. */
export const needs = (setting: Named, needed: Named, value: string | null = null): SettingRule => ({
  kind: 'needs',
  setting,
  needed,
  value,
});

/**
 * Reads every setting from `env`, and holds them against the rules between them. An empty text counts as absent.
 *
 * @throws {ConfigError} with one line a problem: what was got, what is allowed, an example.
 */
export function readConfig<S extends Settings>(
  settings: S,
  env: Environment,
  rules: readonly SettingRule[] = [],
): ConfigOf<S> {
  const problems: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [key, definition] of Object.entries(settings)) {
    const text = textOf(env, definition);
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
  for (const rule of rules) {
    const problem = problemOf(rule, env);
    if (problem !== null) problems.push(problem);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return config as ConfigOf<S>;
}

function textOf(env: Environment, { env: name }: Named): string | undefined {
  return env[name] === '' ? undefined : env[name];
}

function problemOf(rule: SettingRule, env: Environment): string | null {
  const isSet = (named: Named): boolean => textOf(env, named) !== undefined;
  switch (rule.kind) {
    case 'together': {
      if (isSet(rule.one) === isSet(rule.other)) return null;
      const [there, missing] = isSet(rule.one) ? [rule.one, rule.other] : [rule.other, rule.one];
      return `${missing.env} is not set, but ${there.env} is; allowed: both or neither`;
    }
    case 'needs': {
      const { setting, needed, value } = rule;
      if (!isSet(setting) || (value === null ? isSet(needed) : textOf(env, needed) === value)) return null;
      const wanted = value === null ? needed.env : `${needed.env}=${value}`;
      const fault = value === null ? `${needed.env} is not set` : `${needed.env} is not ${value}`;
      return `${fault}, but ${setting.env} is set; allowed: ${wanted} with it, or no ${setting.env}`;
    }
  }
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
    return { env, allowed, example, about, standard: standard.success ? wordsOf(standard.data) : 'required' };
  });
}

function wordsOf(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
