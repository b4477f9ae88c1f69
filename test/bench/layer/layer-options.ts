import { availableParallelism, tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { namedBy, referencePython, UsageError, wholeNumber } from '../arguments.ts';
import { SPECTRA, type Spectrum } from '../factors/factor-maker.ts';

/** `time`: the layer through `flexlora aggregate`; `bytes`: the same bytes from other threads, orders and processes; `reference`: the published method. */
export type LayerPart = 'time' | 'bytes' | 'reference';

export const LAYER_PARTS: readonly LayerPart[] = ['time', 'bytes', 'reference'];

export interface LayerBenchOptions {
  readonly clients: number;
  readonly bytesClients: number;
  readonly rank: number;
  readonly layers: number;
  readonly spectrum: Spectrum;
  readonly threads: number;
  readonly memoryBytes?: number;
  readonly parts: readonly LayerPart[];
  readonly python: string | null;
  readonly folder: string;
  readonly out: string;
}

export const LAYER_BENCH_HELP = `usage: npm run bench:layer [-- options]

Aggregates one transformer layer of a 7B model with flexlora aggregate, and writes layer.json and layer.md.

  --clients N          of heavy-tailed ranks, mean 29.4 (default: 1000, whose adapters take 4.3 GiB)
  --bytes-clients N    of them, for the comparison of bytes (default: 60)
  --rank N             of the result (default: 64)
  --layers N           of the model that is extrapolated to (default: 32)
  --spectrum NAME      ${SPECTRA.join(' or ')} (default: decay)
  --parts LIST         of ${LAYER_PARTS.join(', ')} (default: all)
  --threads N          of the kernel and of the reference (default: every core)
  --memory N           MiB that the kernel may hold (default: its own)
  --reference PYTHON   one that has numpy, or none (default: FLEXLORA_PEFT_PYTHON, or that of .cache/peft-venv)
  --folder DIR         where the adapters are made, and removed again (default: the system's folder for temporary files)
  --out DIR            (default: out/bench-layer)
  --help               this text
`;

const OUT = fileURLToPath(new URL('../../../out/bench-layer', import.meta.url));

const OPTIONS = {
  clients: { type: 'string', default: '1000' },
  'bytes-clients': { type: 'string', default: '60' },
  rank: { type: 'string', default: '64' },
  layers: { type: 'string', default: '32' },
  spectrum: { type: 'string', default: 'decay' },
  parts: { type: 'string', default: LAYER_PARTS.join(',') },
  threads: { type: 'string' },
  memory: { type: 'string' },
  reference: { type: 'string' },
  folder: { type: 'string' },
  out: { type: 'string', default: OUT },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** null where help was asked for. @throws {UsageError} */
export function parseLayerBenchArguments(args: readonly string[]): LayerBenchOptions | null {
  const values = parsed(args);
  if (values.help) return null;
  // As many as flexlora aggregate takes.
  const clients = wholeNumber('--clients', values.clients, 1, 10_000);
  const parts = namedBy('--parts', values.parts, LAYER_PARTS, String);
  const python = referencePython(values.reference);
  return {
    clients,
    bytesClients: Math.min(clients, wholeNumber('--bytes-clients', values['bytes-clients'], 1, 10_000)),
    rank: wholeNumber('--rank', values.rank, 1, 1024),
    layers: wholeNumber('--layers', values.layers, 1, 1000),
    spectrum: namedBy('--spectrum', values.spectrum, SPECTRA, String)[0]!,
    threads: values.threads === undefined ? availableParallelism() : wholeNumber('--threads', values.threads, 1, 1024),
    ...(values.memory !== undefined && { memoryBytes: wholeNumber('--memory', values.memory, 1, 1 << 30) * 2 ** 20 }),
    parts,
    python,
    folder: values.folder ?? tmpdir(),
    out: values.out,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(error.message);
  }
}
