import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startMinio } from '../../harness/containers/minio-server.ts';
import { UsageError } from '../arguments.ts';
import { describeMachine, loadNotice } from '../machine/describe-machine.ts';
import { runBench } from '../run-bench.ts';
import { type BenchS3, benchTransfer } from './bench-transfer.ts';
import { makeSelfSigned } from './self-signed.ts';
import { parseTransferBenchArguments, TRANSFER_BENCH_HELP, type TransferBenchOptions } from './transfer-options.ts';
import { transferPlot } from './transfer-plot.ts';
import { type TransferReport, transferTable } from './transfer-table.ts';

// npm run bench:transfer [-- options]

async function run({ cases, repeats, s3Directory, out }: TransferBenchOptions, signal: AbortSignal): Promise<void> {
  const certificate = cases.some(({ tls }) => tls) ? makeSelfSigned() : null;
  if (certificate === null && cases.some(({ tls }) => tls))
    throw new UsageError(
      '--tls is on, and openssl, which makes the certificate, is not on PATH; allowed without it: off',
    );
  const machine = describeMachine();
  const busy = loadNotice(machine);
  if (busy !== null) console.error(busy);
  const openS3 = (): Promise<BenchS3> => startS3(s3Directory);
  // Before all else that takes its time, whether there is one.
  if (cases.some(({ far }) => far === 's3')) await (await openS3()).close();
  const measured = await benchTransfer(cases, { repeats, certificate, openS3, signal }, (name) => console.error(name));
  const report: TransferReport = { machine, repeats, cases: measured };
  const table = transferTable(report);
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'transfer.json'), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(out, 'transfer.md'), table);
  await writeFile(join(out, 'transfer.svg'), transferPlot(measured));
  console.log(`${table}\nwritten to ${out}: transfer.json, transfer.md, transfer.svg`);
}

async function startS3(parent: string | undefined): Promise<BenchS3> {
  const directory = parent === undefined ? null : await mkdtemp(join(parent, 'minio-'));
  const minio = await startMinio({ use: 'own', ...(directory !== null && { directory }) });
  if ('skip' in minio) throw new UsageError(`--far has s3, and there is ${minio.skip}; or: --far sink`);
  return {
    place: minio,
    close: async () => {
      await minio.stop();
      if (directory !== null) await rm(directory, { recursive: true });
    },
  };
}

await runBench(TRANSFER_BENCH_HELP, parseTransferBenchArguments, run);
