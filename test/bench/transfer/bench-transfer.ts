import { type ChildProgram, startProgram, type Usage } from './child-program.ts';
import { moveBytes } from './move-bytes.ts';
import type { SelfSigned } from './self-signed.ts';
import { bytesOf, CHUNK_BYTES, nameOf, type ServerOrder, type TransferCase, WAYS, type Way } from './transfer-case.ts';

/** What one way did in one case, the fastest of its runs. */
export interface WayReport {
  readonly way: Way;
  readonly bytes: number;
  readonly seconds: number;
  readonly bytesPerSecond: number;
  /** Of the server's process, in that run. */
  readonly serverCpuSecondsPerGigabyte: number;
  /** The most that was resident in the server's process. */
  readonly serverPeakBytes: number;
}

export interface CaseReport extends TransferCase {
  readonly ways: readonly WayReport[];
}

/** Every way in turn, again and again, so that what else the machine does falls on all of them. */
export async function benchTransfer(
  cases: readonly TransferCase[],
  {
    repeats,
    certificate,
    signal,
  }: { readonly repeats: number; readonly certificate: SelfSigned | null; readonly signal: AbortSignal },
  onCase: (name: string) => void = () => {},
): Promise<readonly CaseReport[]> {
  const reports: CaseReport[] = [];
  for (const each of cases) {
    onCase(nameOf(each));
    const runs = new Map<Way, WayReport[]>(WAYS.map((way) => [way, []]));
    for (let n = 0; n < repeats; n += 1) {
      for (const [way, done] of runs) {
        signal.throwIfAborted();
        done.push(await runOnce(each, way, each.tls ? certificate : null));
      }
    }
    reports.push({ ...each, ways: [...runs.values()].map(fastest) });
  }
  return reports;
}

const fastest = (runs: readonly WayReport[]): WayReport => runs.reduce((a, b) => (b.seconds < a.seconds ? b : a));

async function runOnce(each: TransferCase, way: Way, tls: SelfSigned | null): Promise<WayReport> {
  const order: ServerOrder = { way, tls };
  const programs: ChildProgram[] = [];
  const start = async (file: string, args: readonly string[]): Promise<ChildProgram> => {
    const program = await startProgram(file, args);
    programs.push(program);
    return program;
  };
  try {
    const server = await start('./sink-server.ts', [JSON.stringify(order)]);
    const link =
      each.roundTripMs > 0 ? await start('./delayed-link.ts', [`${server.port}`, `${each.roundTripMs}`]) : server;
    const peer = { port: link.port, ca: tls?.certificate ?? null };
    const bytes = Math.ceil(bytesOf(each, way) / CHUNK_BYTES) * CHUNK_BYTES;
    const move = async (count: number): Promise<void> => {
      const arrived = await moveBytes(way, each.direction, count, peer);
      if (arrived !== count) throw new Error(`${nameOf(each)}, ${way}: ${arrived} of ${count} bytes arrived`);
    };
    // What is compiled on first use is no part of the rate.
    await move(CHUNK_BYTES);
    const before = await server.usage();
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: each.transfers }, () => move(bytes)));
    const seconds = (performance.now() - startedAt) / 1_000;
    return reportOf(way, bytes * each.transfers, seconds, before, await server.usage());
  } finally {
    for (const program of programs) await program.stop();
  }
}

const reportOf = (way: Way, bytes: number, seconds: number, before: Usage, after: Usage): WayReport => ({
  way,
  bytes,
  seconds,
  bytesPerSecond: bytes / seconds,
  serverCpuSecondsPerGigabyte: ((after.cpuSeconds - before.cpuSeconds) * 1e9) / bytes,
  serverPeakBytes: after.peakBytes,
});
