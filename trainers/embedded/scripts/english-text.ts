import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { splitOf } from '../src/data/diagnostics-corpus.ts';

/** English that packages of this repository's own installation carry, each under a licence that lets a model be made of it. */
export interface EnglishSource {
  readonly package: string;
  readonly version: string;
  readonly licence: string;
  readonly what: string;
  readonly text: string;
}

export function englishSources(): readonly EnglishSource[] {
  const typescript = packageAt('typescript-diagnostics');
  const node = packageAt('@types/node');
  return [
    {
      ...typescript,
      what: 'English compiler messages, without those of the held-out keys',
      text: trainMessages(typescript.folder),
    },
    {
      ...typescript,
      what: 'documentation comments of lib/lib.es*.d.ts',
      text: comments(join(typescript.folder, 'lib'), /^lib\.es/),
    },
    { ...node, what: 'documentation comments of *.d.ts', text: comments(node.folder, /\.d\.ts$/) },
  ];
}

function packageAt(name: string): Omit<EnglishSource, 'what' | 'text'> & { readonly folder: string } {
  const file = fileURLToPath(import.meta.resolve(`${name}/package.json`));
  const json = JSON.parse(readFileSync(file, 'utf8')) as { name: string; version: string; license: string };
  return { package: json.name, version: json.version, licence: json.license, folder: dirname(file) };
}

/** The compiler declares each message as diag(code, category, "key", "English text"). */
function trainMessages(folder: string): string {
  const source = readFileSync(join(folder, 'lib', '_tsc.js'), 'utf8');
  const declarations = source.matchAll(/: diag\(\d+, \d+ \/\* \w+ \*\/, ("(?:[^"\\]|\\.)*"), ("(?:[^"\\]|\\.)*")/g);
  return [...declarations]
    .map(([, key, text]) => [JSON.parse(key!) as string, JSON.parse(text!) as string] as const)
    .filter(([key]) => splitOf(key) === 'train')
    .map(([, text]) => `\n${text}`)
    .join('');
}

/**
 * The prose of all documentation comments, each once: without stars, code fences, and links' addresses. (lib.dom.d.ts is left out: its
 * sentences come from MDN, under a licence of their own.)
 */
function comments(folder: string, files: RegExp): string {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  const seen = new Set<string>();
  for (const file of names.filter((name) => files.test(name)).sort()) {
    const source = readFileSync(join(folder, file), 'utf8');
    for (const [, body] of source.matchAll(/\/\*\*([\s\S]*?)\*\//g)) seen.add(prose(body!));
  }
  return [...seen]
    .filter((text) => text.length > 20)
    .map((text) => `\n${text}`)
    .join('');
}

function prose(comment: string): string {
  return comment
    .replace(/^[ \t]*\*? ?/gm, '')
    .replace(/```[\s\S]*?```/g, '')
    .replace(/\]\([^)]*\)/g, ']')
    .replace(/^@since.*$/gm, '')
    .replace(/\{@link(?:code|plain)?\s+([^}\s|]+)[^}]*\}/g, '$1')
    .replace(/\s*\n\s*/g, '\n')
    .trim();
}
