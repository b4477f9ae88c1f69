import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { namedBy, UsageError, wholeNumber, wholeNumbers } from '../arguments.ts';
import { DIRECTIONS, FARS, type TransferCase } from './transfer-case.ts';

export interface TransferBenchOptions {
  readonly cases: readonly TransferCase[];
  readonly repeats: number;
  readonly s3Directory: string | undefined;
  readonly out: string;
}

export const TRANSFER_BENCH_HELP = `usage: npm run bench:transfer [-- options]

Moves bytes between processes, and writes transfer.json, transfer.md and transfer.svg. Into a server that keeps nothing: by plain HTTP/2, by grpc-js as
it comes, and by the platform's own client and server. Into S3 (a MinIO of its own: Docker, or minio on PATH), as updates and adapters: by the S3
client alone, by a stock service with managed uploads, and by the platform's agent and transfer service.

  --far LIST           of sink, s3 (default: both)
  --directions LIST    of up, down (default: both)
  --transfers LIST     each COUNTxMIB, 1 to 10000 of 1 to 1024 MiB (default: 1x100,8x100)
  --at-once N          of them, at most; the platform's service takes 64 uploads, and tells others to come back, 1 to 10000 (default: 64)
  --round-trips LIST   milliseconds, 0 to 1000; s3 is without delay (default: 0,80); grpc-js as it comes moves a sixty-fourth over a link that takes time
  --tls LIST           of off, on (default: off)
  --repeats N          of which the fastest counts, 1 to 100 (default: 3)
  --s3-directory DIR   where the MinIO keeps its data, with minio on PATH (default: the system's temporary directory)
  --out DIR            (default: out/bench-transfer)
  --help               this text
`;

const OUT = fileURLToPath(new URL('../../../out/bench-transfer', import.meta.url));

const OPTIONS = {
  directions: { type: 'string', default: DIRECTIONS.join(',') },
  far: { type: 'string', default: FARS.join(',') },
  transfers: { type: 'string', default: '1x100,8x100' },
  'at-once': { type: 'string', default: '64' },
  'round-trips': { type: 'string', default: '0,80' },
  tls: { type: 'string', default: 'off' },
  repeats: { type: 'string', default: '3' },
  's3-directory': { type: 'string' },
  out: { type: 'string', default: OUT },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** null where help was asked for. @throws {UsageError} */
export function parseTransferBenchArguments(args: readonly string[]): TransferBenchOptions | null {
  const values = parsed(args);
  if (values.help) return null;
  const directions = namedBy('--directions', values.directions, DIRECTIONS, String);
  const fars = namedBy('--far', values.far, FARS, String);
  const roundTrips = wholeNumbers('--round-trips', values['round-trips'], 0, 1_000);
  const sizes = values.transfers.split(',').map(transfersOf);
  const atOnce = wholeNumber('--at-once', values['at-once'], 1, 10_000);
  const tlses = namedBy('--tls', values.tls, [false, true], (tls) => (tls ? 'on' : 'off'));
  const cases = fars.flatMap((far) =>
    tlses.flatMap((tls) =>
      (far === 's3' ? [0] : roundTrips).flatMap((roundTripMs) =>
        sizes.flatMap((size) => directions.map((direction) => ({ far, direction, roundTripMs, tls, atOnce, ...size }))),
      ),
    ),
  );
  const repeats = wholeNumber('--repeats', values.repeats, 1, 100);
  return { cases, repeats, s3Directory: values['s3-directory'], out: values.out };
}

function transfersOf(text: string): Pick<TransferCase, 'transfers' | 'bytesEach'> {
  const [count, mib, more] = text.split('x');
  if (count === undefined || mib === undefined || more !== undefined)
    throw new UsageError(`--transfers has "${text}"; allowed: COUNTxMIB, as 8x100`);
  return {
    transfers: wholeNumber('--transfers', count, 1, 10_000),
    bytesEach: wholeNumber('--transfers', mib, 1, 1_024) * 2 ** 20,
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
