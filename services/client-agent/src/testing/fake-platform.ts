import { createHash, randomUUID } from 'node:crypto';
import {
  AgentServiceService,
  type AwaitAssignmentResponse,
  type EnrolRequest,
  type ReportProgressRequest,
} from '@flexlora/contracts/agent/v1/agent_service';
import type { UpdateFormat } from '@flexlora/contracts/run/v1/run_spec';
import { TransferServiceService } from '@flexlora/contracts/transfer';
import type {
  DownloadAdapterRequest,
  OpenUploadRequest,
  UploadUpdateRequest,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import { Fault, type Refusal, refuse } from '@flexlora/core';
import {
  createGrpcServer,
  createHandlerAdapter,
  createServiceMetrics,
  type GrpcServerDoor,
  silentLogger,
} from '@flexlora/runtime';
import { fakeAdapter, RANKS, SPEC } from './fake-adapter.ts';

/**
 * The platform as one agent sees it: rounds one after the other, real gRPC over loopback, uploads that become durable in parts. A test reads
 * what came, and breaks what it likes by `faults`.
 */
export interface FakePlatform {
  target(): string;
  start(): Promise<void>;
  stop(): Promise<void>;
  readonly seen: Seen;
  readonly faults: Faults;
}

/** What an agent told of the end of an assignment. */
export interface EndedReport {
  readonly round: number;
  readonly handout: number;
  readonly reason: string;
}

export interface Seen {
  readonly enrolments: EnrolRequest[];
  readonly progress: ReportProgressRequest[];
  readonly downloads: DownloadAdapterRequest[];
  readonly opens: OpenUploadRequest[];
  /** Offsets at which upload streams began. */
  readonly uploadStarts: number[];
  /** Bytes of chunks that were read, over all streams. */
  uploadBytes: number;
  commits: number;
  /** Rounds whose upload was given up. */
  readonly aborts: number[];
  /** By round. */
  readonly accepted: Map<number, Buffer>;
  readonly failures: EndedReport[];
  readonly declines: EndedReport[];
}

/** What goes wrong. Each is called at its place; what it returns or throws becomes the answer. */
export interface Faults {
  enrol?: () => Refusal | null;
  await?: () => AwaitAssignmentResponse | Refusal | null;
  progress?: (request: ReportProgressRequest) => Refusal | null;
  /** The bytes that are sent instead. */
  downloadChunk?: (offset: number, bytes: Buffer) => Buffer;
  getUpload?: () => Refusal | null;
  /** After this many bytes were read in all, the stream breaks once. */
  cutUploadAt?: number;
  commit?: () => Refusal | null;
  nextReportAfterMs?: number;
  outcome?: string;
  /** Hands the same round out again. */
  keepRoundAfterFailure?: boolean;
  /** Hands the first round out again so often after its update was accepted: a platform that forgot. */
  forgets?: number;
  /** A round that refused an update as late is opened again. */
  reopenRoundAfterLate?: boolean;
  ranks?: Readonly<Record<string, number>>;
  handout?: number;
  /** Rounds by which an update counts later than it was trained for. */
  carriedBy?: number;
}

export const PART_BYTES = 1_000;
export const CHUNK_BYTES = 300;
const DOWNLOAD_CHUNK_BYTES = 256;

interface FakeUpload {
  readonly request: OpenUploadRequest;
  /** Durable bytes. */
  durable: Buffer;
}

export function createFakePlatform(options: {
  readonly rounds: number;
  readonly updateFormat?: UpdateFormat;
}): FakePlatform {
  const seen: Seen = {
    enrolments: [],
    progress: [],
    downloads: [],
    opens: [],
    uploadStarts: [],
    uploadBytes: 0,
    commits: 0,
    aborts: [],
    accepted: new Map(),
    failures: [],
    declines: [],
  };
  const faults: Faults = {};
  const uploads = new Map<string, FakeUpload>();
  const adapt = createHandlerAdapter({ metrics: createServiceMetrics().grpc, logger: silentLogger });
  let round = 1;
  let server: GrpcServerDoor | null = null;
  let port = 0;

  const unknownUpload = (): Refusal => refuse('unknownUpload', 'there is no such open upload');

  const agents = {
    enrol: adapt.unary(async (request: EnrolRequest) => {
      const refusal = faults.enrol?.() ?? null;
      if (refusal !== null) return refusal;
      seen.enrolments.push(request);
      return { spec: { ...SPEC, updateFormat: options.updateFormat ?? SPEC.updateFormat } };
    }),
    awaitAssignment: adapt.unary(async (): Promise<AwaitAssignmentResponse | Refusal> => {
      const instead = faults.await?.() ?? null;
      if (instead !== null) return instead;
      const forgets = faults.forgets ?? 0;
      const handedOut = seen.accepted.size === 1 && forgets > 0 ? 1 : round;
      if (handedOut !== round) faults.forgets = forgets - 1;
      if (handedOut > options.rounds) {
        const outcome = faults.outcome ?? 'completed';
        return { answer: { $case: 'runEnded', value: { outcome, reason: 'done', adapterVersion: handedOut - 1 } } };
      }
      const assignment = {
        round: handedOut,
        adapterVersion: handedOut - 1,
        ranks: { ...(faults.ranks ?? RANKS) },
        rankReason: 'tier 4',
        seed: handedOut,
        deadlineAtMs: 0,
        deadlineInMs: 60_000,
        handout: faults.handout ?? 0,
      };
      return { answer: { $case: 'assignment', value: assignment } };
    }),
    declineAssignment: adapt.unary(async (request: EndedReport) => {
      seen.declines.push(request);
      settle(request.round);
      return {};
    }),
    reportProgress: adapt.unary(async (request: ReportProgressRequest) => {
      seen.progress.push(request);
      return faults.progress?.(request) ?? { nextReportAfterMs: faults.nextReportAfterMs ?? 100 };
    }),
    reportFailure: adapt.unary(async (request: EndedReport) => {
      seen.failures.push(request);
      if (faults.keepRoundAfterFailure !== true) settle(request.round);
      return {};
    }),
  };

  const transfers = {
    openUpload: adapt.unary(async (request: OpenUploadRequest) => {
      seen.opens.push(request);
      const uploadId = randomUUID();
      uploads.set(uploadId, { request, durable: Buffer.alloc(0) });
      return { uploadId, chunkBytesMax: CHUNK_BYTES, partBytes: PART_BYTES };
    }),
    uploadUpdate: adapt.bidi(async function* (requests: AsyncIterable<UploadUpdateRequest>) {
      let upload: FakeUpload | undefined;
      let part = Buffer.alloc(0);
      for await (const { body } of requests) {
        if (body?.$case === 'start') {
          upload = uploads.get(body.value.uploadId);
          if (upload === undefined) return unknownUpload();
          seen.uploadStarts.push(body.value.offset);
          if (body.value.offset !== upload.durable.byteLength) return refuse('badNumber', 'not the durable offset');
        }
        if (body?.$case !== 'chunk' || upload === undefined) continue;
        if (body.value.offset !== upload.durable.byteLength + part.byteLength) return refuse('badNumber', 'a gap');
        part = Buffer.concat([part, body.value.data]);
        seen.uploadBytes += body.value.data.byteLength;
        if (faults.cutUploadAt !== undefined && seen.uploadBytes >= faults.cutUploadAt) {
          delete faults.cutUploadAt;
          throw new Fault('cut');
        }
        if (part.byteLength < PART_BYTES) continue;
        upload.durable = Buffer.concat([upload.durable, part.subarray(0, PART_BYTES)]);
        part = part.subarray(PART_BYTES);
        yield { durableOffset: upload.durable.byteLength };
      }
      if (upload === undefined) return unknownUpload();
      upload.durable = Buffer.concat([upload.durable, part]);
      yield { durableOffset: upload.durable.byteLength };
      return undefined;
    }),
    getUpload: adapt.unary(async ({ uploadId }: { uploadId: string }) => {
      const upload = uploads.get(uploadId);
      const refusal = faults.getUpload?.() ?? null;
      if (refusal !== null) return refusal;
      return upload === undefined ? unknownUpload() : { durableOffset: upload.durable.byteLength };
    }),
    commitUpload: adapt.unary(async ({ uploadId }: { uploadId: string }) => {
      seen.commits += 1;
      const refusal = faults.commit?.() ?? null;
      if (refusal?.reason === 'late' && faults.reopenRoundAfterLate !== true) settle(round);
      if (refusal !== null) return refusal;
      const upload = uploads.get(uploadId);
      if (upload === undefined) return unknownUpload();
      const sha256 = createHash('sha256').update(upload.durable).digest('hex');
      if (sha256 !== upload.request.sha256) return refuse('badDigest', 'other bytes came than were declared');
      seen.accepted.set(upload.request.round, upload.durable);
      settle(upload.request.round);
      return { round: upload.request.round + (faults.carriedBy ?? 0), sha256 };
    }),
    abortUpload: adapt.unary(async ({ round: given }: { round: number }) => {
      seen.aborts.push(given);
      return {};
    }),
    downloadAdapter: adapt.serverStream(async function* (request: DownloadAdapterRequest) {
      seen.downloads.push(request);
      const { layout, bytes } = fakeAdapter(request.version, request.ranks);
      yield { body: { $case: 'layout' as const, value: layout } };
      for (let offset = request.offset; offset < bytes.byteLength; offset += DOWNLOAD_CHUNK_BYTES) {
        const chunk = bytes.subarray(offset, offset + DOWNLOAD_CHUNK_BYTES);
        const data = faults.downloadChunk?.(offset, Buffer.from(chunk)) ?? chunk;
        yield { body: { $case: 'chunk' as const, value: { offset, data } } };
      }
      return undefined;
    }),
  };

  function settle(settled: number): void {
    if (settled === round) round += 1;
  }

  return {
    target: () => `127.0.0.1:${port}`,
    seen,
    faults,
    start: async () => {
      server = await createGrpcServer(
        {
          host: '127.0.0.1',
          port,
          services: [
            { definition: AgentServiceService, implementation: agents },
            { definition: TransferServiceService, implementation: transfers },
          ],
          tls: null,
          reflection: null,
        },
        { logger: silentLogger },
      );
      port = server.port;
    },
    stop: async () => {
      await server?.stop(0);
      server = null;
    },
  };
}
