import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The compiler's diagnostics in 13 languages, as the npm package typescript ships them (Apache-2.0). */
export const DIAGNOSTICS_LANGUAGES = [
  'cs',
  'de',
  'es',
  'fr',
  'it',
  'ja',
  'ko',
  'pl',
  'pt-br',
  'ru',
  'tr',
  'zh-cn',
  'zh-tw',
] as const;

export type DiagnosticsLanguage = (typeof DIAGNOSTICS_LANGUAGES)[number];
export type CorpusSplit = 'train' | 'held-out';

/** One key in ten is held out: the same keys in every language, so that no translation of a held-out message is trained on. */
const HELD_OUT_ONE_IN = 10;

/** Stable: a function of the key alone. */
export function splitOf(key: string): CorpusSplit {
  return keyHash(key) % HELD_OUT_ONE_IN === 0 ? 'held-out' : 'train';
}

/** The keys are the same in every language, so each is hashed once for all of them. */
const keyHashes = new Map<string, number>();

function keyHash(key: string): number {
  const known = keyHashes.get(key);
  if (known !== undefined) return known;
  const hash = createHash('sha256').update(key).digest().readUInt32BE();
  keyHashes.set(key, hash);
  return hash;
}

/**
 * UTF-8 of one language's messages of a split, each after a line feed. Messages stand in the order of their keys' hashes, so that the first
 * `bytesMax` bytes (cut after the message that reaches them) are a fair sample, and of the same messages in every language.
 */
export function diagnosticsText(
  language: DiagnosticsLanguage,
  split: CorpusSplit,
  bytesMax: number = Number.POSITIVE_INFINITY,
): Uint8Array {
  const file = import.meta.resolve(`typescript-diagnostics/lib/${language}/diagnosticMessages.generated.json`);
  const messages = JSON.parse(readFileSync(fileURLToPath(file), 'utf8')) as Readonly<Record<string, string>>;
  const keys = Object.keys(messages).filter((key) => splitOf(key) === split);
  keys.sort((left, right) => keyHash(left) - keyHash(right));
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (const key of keys) {
    if (bytes >= bytesMax) break;
    const chunk = Buffer.from(`\n${messages[key]!}`);
    chunks.push(chunk);
    bytes += chunk.length;
  }
  return Buffer.concat(chunks);
}

export interface DiagnosticsSize {
  readonly language: DiagnosticsLanguage;
  readonly trainBytes: number;
  readonly heldOutBytes: number;
}

export function diagnosticsSizes(): readonly DiagnosticsSize[] {
  return DIAGNOSTICS_LANGUAGES.map((language) => ({
    language,
    trainBytes: diagnosticsText(language, 'train').length,
    heldOutBytes: diagnosticsText(language, 'held-out').length,
  }));
}
