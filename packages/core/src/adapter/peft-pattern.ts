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
 * The pieces of an expression that mean the same to Python's `re` and to JavaScript, over the ASCII of module names. Not among them, though
 * one of the two compiles it: `{,2}` (a quantifier in Python, text in JavaScript), `\Z` and `\A`, possessive `a*+`, `[]a]`, `(?P<n>…)`,
 * inline flags, look-behind, and back references (to a group that took no part, Python fails and JavaScript matches).
 */
const COMMON_PIECE = new RegExp(
  [
    // A character, or one that is escaped so that it stands for itself.
    /[A-Za-z0-9_\-/:,;@~=<>!#%&'"` .]/,
    /\\[!-/:-@[-`{-~]/,
    /\\[dDwWbB]/,
    /\^|\$|\|/,
    /\(\?[:=!]|\((?!\?)|\)/,
    // A class: characters, escapes and ranges of letters or digits; a hyphen that stands for itself comes last.
    /\[\^?(?:[A-Za-z0-9]-[A-Za-z0-9]|\\[!-/:-@[-`{-~]|\\[dDwW]|[A-Za-z0-9_/:,;@=<>!#%'"` .*+?(){}$])+(?:-)?\]/,
    /(?:[*+?]|\{\d+(?:,\d*)?\})\??(?![*+?{])/,
  ]
    .map(({ source }) => `(?:${source})`)
    .join('|'),
  'y',
);

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
        `${field} has the key ${JSON.stringify(key.slice(0, 80))}; allowed: a module's name or a regular expression of at most ${PATTERN_CHARS_MAX} characters that means the same to Python and to JavaScript: write the names out`,
      );
    }
    patterns.push({ key, expression, value });
  }
  return patterns;
}

function compile(key: string): RegExp | null {
  if (key.length > PATTERN_CHARS_MAX || !isCommonSyntax(key)) return null;
  try {
    // By itself too: `a)|(b` closes the group that it stands in.
    new RegExp(key);
    return new RegExp(`^(.*\\.)?(${key})$`);
  } catch {
    return null;
  }
}

function isCommonSyntax(key: string): boolean {
  COMMON_PIECE.lastIndex = 0;
  let end = 0;
  while (end < key.length && COMMON_PIECE.test(key)) end = COMMON_PIECE.lastIndex;
  return end === key.length;
}

/** A key that matches this name alone. */
export function exactPeftPattern(module: string): string {
  return `^${module.replaceAll('.', '\\.')}`;
}
