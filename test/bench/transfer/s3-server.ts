import { PassThrough } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type {
  DownloadAdapterRequest,
  DownloadAdapterResponse,
  UploadUpdateRequest,
  UploadUpdateResponse,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import {
  collectForBytes,
  createHandlerAdapter,
  createServiceMetrics,
  silentLogger,
  systemClock,
} from '@flexlora/runtime';
import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import { createOrchestratorMetrics } from '../../../services/orchestrator/src/metrics.ts';
import { createSlots } from '../../../services/orchestrator/src/slots.ts';
import {
  bindTransferService,
  type TransferDeps,
} from '../../../services/orchestrator/src/transfer/transfer-service.ts';
import { serveAsItComes, serveAsThePlatform } from './bench-server.ts';
import { answerOrders } from './child-program.ts';
import { adapterObject, RANKS, specOf } from './made-update.ts';
import { ownS3, SOURCE_OBJECT, stockS3 } from './s3-place.ts';
import { DOWNLOADS_MAX, type S3Place, type ServerOrder, UPLOADS_MAX } from './transfer-case.ts';

// Takes updates into S3 and sends adapters from there: as a stock service does, or the platform's transfer service, for which every update is wanted.

let uploads = 0;

async function serveStock({ tls }: ServerOrder, place: S3Place): Promise<number> {
  const client = stockS3(place);
  const uploadUpdate = async (call: ServerDuplexStream<UploadUpdateRequest, UploadUpdateResponse>): Promise<void> => {
    const body = new PassThrough();
    uploads += 1;
    const upload = new Upload({ client, params: { Bucket: place.bucket, Key: `bench/update-${uploads}`, Body: body } });
    const done = upload.done();
    let bytes = 0;
    for await (const { body: message } of call as AsyncIterable<UploadUpdateRequest>) {
      if (message?.$case !== 'chunk') continue;
      bytes += message.value.data.byteLength;
      if (!body.write(message.value.data)) await new Promise((resolve) => body.once('drain', resolve));
    }
    body.end();
    await done;
    call.write({ durableOffset: bytes });
    call.end();
  };
  const downloadAdapter = async (
    call: ServerWritableStream<DownloadAdapterRequest, DownloadAdapterResponse>,
  ): Promise<void> => {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: place.bucket, Key: SOURCE_OBJECT }));
    let offset = 0;
    for await (const piece of Body as AsyncIterable<Buffer>) {
      const isRoom = call.write({ body: { $case: 'chunk', value: { offset, data: piece } } });
      offset += piece.byteLength;
      if (!isRoom) await new Promise((resolve) => call.once('drain', resolve));
    }
    call.end();
  };
  return serveAsItComes({ uploadUpdate, downloadAdapter }, tls);
}

async function serveOwn({ tls, bytesEach }: ServerOrder, place: S3Place): Promise<number> {
  const { registry, grpc } = createServiceMetrics();
  const assignment = { ranks: RANKS };
  const head = {
    spec: specOf(bytesEach),
    round: 1,
    rounds: 2,
    late: 'refuse',
    phase: { kind: 'collecting', sinceMs: 0 },
  };
  const agent = { lastAccepted: null, lateAssignment: null };
  const member = { assignment, progress: { kind: 'assigned' } };
  const deps = {
    objectStore: ownS3(place),
    reader: { readAgent: async () => ({ head, agent, member }), readHead: async () => head },
    door: { offer: async () => ({ kind: 'updateAccepted', round: 1 }) },
    manifests: { read: async () => ({ objects: [adapterObject(bytesEach)] }) },
    uploadSlots: createSlots('uploads', UPLOADS_MAX),
    downloadSlots: createSlots('downloads', DOWNLOADS_MAX),
    clock: systemClock,
    metrics: createOrchestratorMetrics(registry),
    randomId: () => crypto.randomUUID().replaceAll('-', ''),
  } as unknown as TransferDeps;
  const service = bindTransferService(deps, createHandlerAdapter({ metrics: grpc, logger: silentLogger }));
  return serveAsThePlatform(service, tls);
}

const order = JSON.parse(process.argv[2] ?? '{}') as ServerOrder;
const { s3 } = order;
if (s3 === null) throw new Error('s3-server.ts is to be told of an S3');
// As a process of the transfer role does.
if (order.way === 'flexlora') collectForBytes();
answerOrders(order.way === 'stock' ? await serveStock(order, s3) : await serveOwn(order, s3));
