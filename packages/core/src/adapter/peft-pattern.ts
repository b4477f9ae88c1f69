import { type Refusal, refuse } from '../refusal.ts';

/** One entry of `rank_pattern` or `alpha_pattern`, in the order of the file. */
export interface PeftPattern {
  readonly key: string;
  readonly expression: RegExp;
  readonly value: number;
}

/** A pattern is a module's name or a short expression over names. */
const PATTERN_CHARS_MAX = 512;

/**
 * PEFT's rule (`get_pattern_key` of `peft.utils.other`): the first key, in the order of the file, for which `(.*\.)?(key)$` matches the
 * module's name from its beginning. So a key is a regular expression, and matches whole dotted endings: `q_proj`, `^lm_head`,
 * `layers\.[0-3]\..*`.
 */
export function matchPeftPattern(patterns: readonly PeftPattern[], module: string): number | null {
  for (const pattern of patterns) if (pattern.expression.test(module)) return pattern.value;
  return null;
}

/** JSON objects list keys that look like integers first; PEFT's own keys never do, because a module's name has a dot or a letter. */
export function compilePeftPatterns(
  field: 'rank_pattern' | 'alpha_pattern',
  object: Readonly<Record<string, number>>,
): readonly PeftPattern[] | Refusal {
  const patterns: PeftPattern[] = [];
  for (const [key, value] of Object.entries(object)) {
    const expression = compile(key);
    if (expression === null) {
      return refuse(
        'badSpec',
        `${field} has the key ${JSON.stringify(key.slice(0, 80))}; allowed: a module's name or a regular expression of at most ${PATTERN_CHARS_MAX} characters that JavaScript reads too: write the names out`,
      );
    }
    patterns.push({ key, expression, value });
  }
  return patterns;
}

function compile(key: string): RegExp | null {
  if (key.length > PATTERN_CHARS_MAX) return null;
  try {
    return new RegExp(`^(.*\\.)?(${key})$`);
  } catch {
    return null;
  }
}

/** A key that matches this name alone. */
export function exactPeftPattern(module: string): string {
  return `^${module.replaceAll('.', '\\.')}`;
}
