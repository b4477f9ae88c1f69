import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { namedBy, UsageError, wholeNumber, wholeNumbers } from '../arguments.ts';
import { DIRECTIONS, type TransferCase } from './transfer-case.ts';

export interface TransferBenchOptions {
  readonly cases: readonly TransferCase[];
  readonly repeats: number;
  readonly out: string;
}

export const TRANSFER_BENCH_HELP = `usage: npm run bench:transfer [-- options]

Moves bytes between two processes by plain HTTP/2, by grpc-js as it comes, and by the platform's own client and server, and writes
transfer.json and transfer.md.

  --directions LIST    of up, down (default: both)
  --transfers LIST     at the same time, each on its own connection (default: 1,8)
  --mib N              of each transfer, 1 to 1024 (default: 100); a sixty-fourth for grpc-js as it comes on a link that takes time
  --round-trips LIST   milliseconds, 0 to 1000 (default: 0,80)
  --tls LIST           of off, on (default: off)
  --repeats N          of which the fastest counts, 1 to 100 (default: 3)
  --out DIR            (default: out/bench-transfer)
  --help               this text
`;

const OUT = fileURLToPath(new URL('../../../out/bench-transfer', import.meta.url));

const OPTIONS = {
  directions: { type: 'string', default: DIRECTIONS.join(',') },
  transfers: { type: 'string', default: '1,8' },
  mib: { type: 'string', default: '100' },
  'round-trips': { type: 'string', default: '0,80' },
  tls: { type: 'string', default: 'off' },
  repeats: { type: 'string', default: '3' },
  out: { type: 'string', default: OUT },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** null where help was asked for. @throws {UsageError} */
export function parseTransferBenchArguments(args: readonly string[]): TransferBenchOptions | null {
  const values = parsed(args);
  if (values.help) return null;
  const directions = namedBy('--directions', values.directions, DIRECTIONS, String);
  const roundTrips = wholeNumbers('--round-trips', values['round-trips'], 0, 1_000);
  const counts = wholeNumbers('--transfers', values.transfers, 1, 1_000);
  const tlses = namedBy('--tls', values.tls, [false, true], (tls) => (tls ? 'on' : 'off'));
  const bytesEach = wholeNumber('--mib', values.mib, 1, 1_024) * 2 ** 20;
  const cases = tlses.flatMap((tls) =>
    roundTrips.flatMap((roundTripMs) =>
      counts.flatMap((transfers) =>
        directions.map((direction) => ({ direction, roundTripMs, tls, transfers, bytesEach })),
      ),
    ),
  );
  return { cases, repeats: wholeNumber('--repeats', values.repeats, 1, 100), out: values.out };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(error.message);
  }
}
