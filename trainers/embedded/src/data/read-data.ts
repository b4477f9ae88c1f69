import { readFileSync, statSync } from 'node:fs';
import { extname } from 'node:path';
import { TEXT_BYTES_MAX } from '../limits.ts';
import { TrainerError } from '../trainer-error.ts';
import {
  type CorpusSplit,
  DIAGNOSTICS_LANGUAGES,
  type DiagnosticsLanguage,
  diagnosticsText,
} from './diagnostics-corpus.ts';

/** What this trainer understands as `data`. */
export type EmbeddedData =
  | {
      readonly corpus: 'typescript-diagnostics';
      readonly languages: readonly DiagnosticsLanguage[];
      readonly split: CorpusSplit;
      /** At most so many bytes of each language, rounded up to a whole message. */
      readonly bytes_max?: number;
    }
  | {
      /** `.txt`, one text; or `.jsonl`, one text a line, as a string or as the field `text` of an object. */
      readonly file: string;
    };

const ALLOWED = '{"corpus": "typescript-diagnostics", "languages", "split", "bytes_max"?} or {"file"}';

/** The bytes that the data names. Throws `bad_data`. */
export function readData(data: unknown): Uint8Array {
  if (typeof data !== 'object' || data === null) throw bad(`data is ${JSON.stringify(data)}; allowed is ${ALLOWED}`);
  const fields = data as Readonly<Record<string, unknown>>;
  if (fields['corpus'] === 'typescript-diagnostics') return readCorpus(fields);
  if (typeof fields['file'] === 'string') return readText(fields['file']);
  throw bad(`data has the fields ${Object.keys(fields).join(', ') || 'none'}; allowed is ${ALLOWED}`);
}

function readCorpus(fields: Readonly<Record<string, unknown>>): Uint8Array {
  const { languages, split, bytes_max: bytesMax } = fields;
  const known = (value: unknown): value is DiagnosticsLanguage =>
    DIAGNOSTICS_LANGUAGES.includes(value as DiagnosticsLanguage);
  if (!Array.isArray(languages) || languages.length === 0 || !languages.every(known))
    throw bad(
      `data.languages is ${JSON.stringify(languages)}; allowed are one or more of ${DIAGNOSTICS_LANGUAGES.join(', ')}`,
    );
  if (split !== 'train' && split !== 'held-out')
    throw bad(`data.split is ${JSON.stringify(split)}; allowed are "train" and "held-out"`);
  if (bytesMax !== undefined && (!Number.isSafeInteger(bytesMax) || (bytesMax as number) < 1))
    throw bad(`data.bytes_max is ${JSON.stringify(bytesMax)}; a positive integer is needed`);
  try {
    return Buffer.concat(languages.map((language) => diagnosticsText(language, split, bytesMax as number | undefined)));
  } catch (cause) {
    const message = `the diagnostics could not be read: ${(cause as Error).message}: install the package typescript-diagnostics`;
    throw new TrainerError('bad_data', message, { cause });
  }
}

function readText(file: string): Uint8Array {
  const extension = extname(file);
  if (extension !== '.txt' && extension !== '.jsonl')
    throw bad(`data.file ${file} ends in "${extension}"; allowed are .txt and .jsonl`);
  let text: Buffer;
  try {
    const { size } = statSync(file);
    if (size > TEXT_BYTES_MAX)
      throw new Error(`it has ${size} bytes; allowed are ${TEXT_BYTES_MAX}: split it over agents`);
    text = readFileSync(file);
  } catch (cause) {
    throw new TrainerError('bad_data', `data.file ${file} could not be read: ${(cause as Error).message}`, { cause });
  }
  if (extension === '.txt') return Buffer.concat([Buffer.from('\n'), text]);
  const lines = text.toString('utf8').split('\n');
  const texts = lines.flatMap((line, index) => (line.trim() === '' ? [] : [`\n${textOf(file, line, index + 1)}`]));
  return Buffer.from(texts.join(''));
}

function textOf(file: string, line: string, number: number): string {
  try {
    const value = JSON.parse(line) as unknown;
    const text = typeof value === 'string' ? value : (value as { readonly text?: unknown } | null)?.text;
    if (typeof text === 'string') return text;
  } catch {
    // The sentence below holds for both faults.
  }
  throw bad(`data.file ${file}, line ${number} is neither a JSON string nor an object with a string "text"`);
}

const bad = (message: string): TrainerError => new TrainerError('bad_data', message);
