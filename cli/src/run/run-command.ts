import { parseArgs } from 'node:util';
import { Fault } from '@flexlora/core';
import { ConfigError, type Environment, systemClock } from '@flexlora/runtime';
import { abortOnSignals } from '../federation/abort-on-signals.ts';
import { sentenceOfFileError } from '../federation/file-error.ts';
import { UsageError } from '../start/options.ts';
import { readServer } from './config.ts';
import { PERSON_PATIENCE } from './limits.ts';
import { createRunClient } from './run-client.ts';
import type { RunVerb, VerbTools } from './verb.ts';
import { RUN_VERBS } from './verbs.ts';

/** Where a command writes, and what it reads its settings from. */
export interface CommandSurroundings {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env?: Environment;
}

const TERMINAL: CommandSurroundings = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

/** What a shell expects of a process that Ctrl-C stopped. */
const INTERRUPTED = 130;

/** `flexlora run <verb>`: 0 done, 1 refused or failed, 2 wrong usage, 130 when it was stopped. */
export async function runCommand(args: readonly string[], { out, err, env } = TERMINAL): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    (name === undefined ? err : out)(await helpOfAll());
    return name === undefined ? 2 : 0;
  }
  const load = Object.hasOwn(RUN_VERBS, name) ? RUN_VERBS[name] : undefined;
  if (load === undefined) {
    err(`flexlora run: there is no verb "${name}"; allowed: ${Object.keys(RUN_VERBS).join(', ')}\n`);
    return 2;
  }
  const verb = await load();
  const interrupted = abortOnSignals();
  try {
    const values = parseWords(verb, rest);
    if (values === null) {
      out(helpOf(name, verb));
      return 0;
    }
    const perform = verb.prepare(values);
    const { server, json } = values.values;
    const runs = createRunClient(
      readServer(typeof server === 'string' ? server : null, env),
      { clock: systemClock, random: Math.random },
      PERSON_PATIENCE,
    );
    const print: VerbTools['print'] = (output) =>
      out(json === true ? `${JSON.stringify(output.json())}\n` : output.text());
    try {
      await perform({ runs, signal: interrupted.signal, print });
      return 0;
    } finally {
      runs.close();
    }
  } catch (error) {
    if (interrupted.signal.aborted) return INTERRUPTED;
    const isUsage = error instanceof UsageError || error instanceof ConfigError;
    const sentence = isUsage || error instanceof Fault ? error.message : sentenceOfFileError(error);
    if (sentence === null) throw error;
    err(`flexlora run ${name}: ${sentence}${isUsage ? `\n"flexlora run ${name} --help" says more` : ''}\n`);
    return isUsage ? 2 : 1;
  } finally {
    interrupted.release();
  }
}

/** Null when help was asked for. @throws {UsageError} */
function parseWords(verb: RunVerb, args: readonly string[]) {
  const options = { ...verb.options, ...COMMON_OPTIONS };
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    return values.help === true ? null : { values: { ...values }, positionals };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

const COMMON_OPTIONS = { server: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } } as const;
const COMMON_HELP: readonly string[] = [
  '--server host:port  where the platform is (FLEXLORA_ORCHESTRATOR)',
  '--json              one JSON document a line on standard output',
  '--help              this text',
];

function helpOf(name: string, verb: RunVerb): string {
  const lines = [...verb.help, ...COMMON_HELP].map((line) => `  ${line}`);
  const usage = ['flexlora run', name, verb.usage, '[options]'].filter((word) => word !== '').join(' ');
  return [
    `usage: ${usage}`,
    '',
    `${verb.summary[0]?.toUpperCase()}${verb.summary.slice(1)}.`,
    '',
    ...lines,
    '',
    'TLS: FLEXLORA_TLS=on, FLEXLORA_TLS_CA_FILE, FLEXLORA_TLS_CERTIFICATE_FILE, FLEXLORA_TLS_KEY_FILE.',
    'Exit codes: 0 done, 1 refused or failed, 2 wrong usage.',
    '',
  ].join('\n');
}

async function helpOfAll(): Promise<string> {
  const verbs = await Promise.all(Object.entries(RUN_VERBS).map(async ([name, load]) => [name, await load()] as const));
  const width = Math.max(...verbs.map(([name]) => name.length));
  return [
    'usage: flexlora run <verb> [options]',
    '',
    ...verbs.map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'flexlora run <verb> --help says more.',
    '',
  ].join('\n');
}
