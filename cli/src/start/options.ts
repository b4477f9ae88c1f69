import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { UPDATE_FORMATS, type UpdateFormat } from '@flexlora/core';

/** What `flexlora start` was asked for. */
export interface StartOptions {
  readonly rounds: number;
  readonly agents: number;
  readonly seed: number;
  readonly updateFormat: UpdateFormat;
  /** Where the adapter goes: absent or empty. Null: a new folder under `out/`. */
  readonly out: string | null;
  readonly output: 'view' | 'json';
  readonly redis: string | null;
  readonly s3: string | null;
}

export const START_HELP = `usage: flexlora start [options]

Fine-tunes a small Llama over agents with unequal ranks, through the real services in one process.

  --agents N    participants, 2 to 13, each with one language       (13)
  --rounds N    rounds, 1 to 100                                    (6)
  --seed N      0 to 2147483647; the same seed gives the same adapter (1)
  --update-format FORMAT
                how updates travel: as-trained, f32, bf16, f16, int8 (as-trained)
  --out DIR     where the PEFT adapter goes: absent or empty        (a new folder in out/)
  --redis URL   keep round state in this Redis                      (in memory)
  --s3 URL      keep bytes in this S3; the bucket is S3_BUCKET      (files in the folder of the run)
                (flexlora; made when it is missing), keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
  --json        one JSON document on the last line of standard output; the view goes to standard error
  --help        this text
`;

const AGENTS_MAX = 13;
const ROUNDS_MAX = 100;
const SEED_MAX = 2 ** 31 - 1;

/** The command's words make no sense; the message says what was got and what is allowed. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @returns null when help was asked for. @throws {UsageError} */
export function parseStartOptions(args: readonly string[]): StartOptions | null {
  const { values } = parseStrictly(args);
  if (values.help === true) return null;
  return {
    agents: wholeNumber('--agents', values.agents ?? '13', 2, AGENTS_MAX),
    rounds: wholeNumber('--rounds', values.rounds ?? '6', 1, ROUNDS_MAX),
    seed: wholeNumber('--seed', values.seed ?? '1', 0, SEED_MAX),
    updateFormat: updateFormat(values['update-format'] ?? 'as-trained'),
    out: values.out === undefined ? null : emptyFolder(values.out),
    output: values.json === true ? 'json' : 'view',
    redis: values.redis === undefined ? null : url('--redis', values.redis, ['redis:', 'rediss:']),
    s3: values.s3 === undefined ? null : url('--s3', values.s3, ['http:', 'https:']),
  };
}

function parseStrictly(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        agents: text,
        rounds: text,
        seed: text,
        'update-format': text,
        out: text,
        redis: text,
        s3: text,
        json: flag,
        help: flag,
      },
    });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; flexlora start --help tells the options`);
  }
}

export function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(`${option} is ${JSON.stringify(text)}; allowed: a whole number from ${least} to ${most}`);
}

function updateFormat(text: string): UpdateFormat {
  const format = UPDATE_FORMATS.find((name) => name === text);
  if (format !== undefined) return format;
  throw new UsageError(`--update-format is ${JSON.stringify(text)}; allowed: ${UPDATE_FORMATS.join(', ')}`);
}

function url(option: string, text: string, schemes: readonly string[]): string {
  const parsed = URL.canParse(text) ? new URL(text) : null;
  if (parsed !== null && schemes.includes(parsed.protocol) && parsed.hostname !== '') return text;
  throw new UsageError(
    `${option} is ${JSON.stringify(text)}; allowed: a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}, such as ${schemes[0]}//127.0.0.1:${schemes[0] === 'redis:' ? 6379 : 9000}`,
  );
}

function emptyFolder(path: string): string {
  const folder = resolve(path);
  if (existsSync(folder) && readdirSync(folder).length > 0)
    throw new UsageError(
      `--out ${path} has files in it; allowed: a folder that is absent or empty, so that nothing is overwritten`,
    );
  return folder;
}
