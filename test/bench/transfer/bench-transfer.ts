import type { ObjectStore } from '@flexlora/stores';
import { type ChildProgram, startProgram, type Usage } from './child-program.ts';
import { ownS3, SOURCE_OBJECT } from './s3-place.ts';
import type { SelfSigned } from './self-signed.ts';
import {
  bytesOf,
  CHUNK_BYTES,
  type ClientOrder,
  nameOf,
  type S3Place,
  type ServerOrder,
  type TransferCase,
  WAYS_TO,
  type Way,
} from './transfer-case.ts';

/** What one way did in one case, the fastest of its runs. */
export interface WayReport {
  readonly way: Way;
  readonly bytes: number;
  readonly seconds: number;
  readonly bytesPerSecond: number;
  /** Of the server's process, in that run; null where there is none. */
  readonly serverCpuSecondsPerGigabyte: number | null;
  /** The most that was resident in the server's process. */
  readonly serverPeakBytes: number | null;
  readonly clientCpuSecondsPerGigabyte: number;
  readonly clientPeakBytes: number;
}

export interface CaseReport extends TransferCase {
  readonly ways: readonly WayReport[];
}

/** An S3 of one run's own. */
export interface BenchS3 {
  readonly place: S3Place;
  close(): Promise<void>;
}

export interface BenchSurroundings {
  readonly repeats: number;
  readonly certificate: SelfSigned | null;
  /** A new one for each run: MinIO keeps what was deleted for minutes, which would be the next run's memory. */
  readonly openS3: () => Promise<BenchS3>;
  readonly signal: AbortSignal;
}

/** Every way in turn, again and again, so that what else the machine does falls on all of them. */
export async function benchTransfer(
  cases: readonly TransferCase[],
  { repeats, certificate, openS3, signal }: BenchSurroundings,
  onCase: (name: string) => void = () => {},
): Promise<readonly CaseReport[]> {
  const reports: CaseReport[] = [];
  for (const each of cases) {
    onCase(nameOf(each));
    const runs = new Map<Way, WayReport[]>(WAYS_TO[each.far].map((way) => [way, []]));
    for (let n = 0; n < repeats; n += 1) {
      for (const [way, done] of runs) {
        signal.throwIfAborted();
        const s3 = each.far === 's3' ? await openS3() : null;
        try {
          done.push(await runOnce(each, way, each.tls ? certificate : null, s3?.place ?? null));
        } finally {
          await s3?.close();
        }
      }
    }
    reports.push({ ...each, ways: [...runs.values()].map(fastest) });
  }
  return reports;
}

const fastest = (runs: readonly WayReport[]): WayReport => runs.reduce((a, b) => (b.seconds < a.seconds ? b : a));

async function runOnce(each: TransferCase, way: Way, tls: SelfSigned | null, s3: S3Place | null): Promise<WayReport> {
  const programs: ChildProgram[] = [];
  const start = async (file: string, order: unknown): Promise<ChildProgram> => {
    const program = await startProgram(file, [JSON.stringify(order)]);
    programs.push(program);
    return program;
  };
  try {
    const bytesEach = Math.ceil(bytesOf(each, way) / CHUNK_BYTES) * CHUNK_BYTES;
    if (s3 !== null) await withStore(s3, (store) => store.put(SOURCE_OBJECT, Buffer.alloc(bytesEach, 7)));
    const toServer: ServerOrder = { way, tls, s3, bytesEach };
    const server = way === 'direct' ? null : await start(s3 === null ? './sink-server.ts' : './s3-server.ts', toServer);
    const link =
      server === null || each.roundTripMs === 0
        ? server
        : await start('./delayed-link.ts', { port: server.port, roundTripMs: each.roundTripMs });
    const { direction, transfers, atOnce } = each;
    const ca = tls?.certificate ?? null;
    const order: ClientOrder = { way, direction, transfers, atOnce, bytesEach, port: link?.port ?? 0, ca, s3 };
    const client = await start('./transfer-client.ts', order);
    // What is compiled on first use is no part of the rate: services and agents run for days.
    await client.ask('warm');
    const before = { server: await server?.usage(), client: await client.usage() };
    const { seconds } = (await client.ask('move')) as { readonly seconds: number };
    const bytes = bytesEach * transfers;
    const after = { server: await server?.usage(), client: await client.usage() };
    const perGigabyte = (from: Usage, to: Usage): number => ((to.cpuSeconds - from.cpuSeconds) * 1e9) / bytes;
    return {
      way,
      bytes,
      seconds,
      bytesPerSecond: bytes / seconds,
      serverCpuSecondsPerGigabyte:
        before.server === undefined || after.server === undefined ? null : perGigabyte(before.server, after.server),
      serverPeakBytes: after.server?.peakBytes ?? null,
      clientCpuSecondsPerGigabyte: perGigabyte(before.client, after.client),
      clientPeakBytes: after.client.peakBytes,
    };
  } finally {
    for (const program of programs) await program.stop();
  }
}

async function withStore(place: S3Place, use: (store: ObjectStore) => Promise<void>): Promise<void> {
  const store = ownS3(place);
  try {
    await use(store);
  } finally {
    await store.close();
  }
}
