import { type Client, makeGenericClientConstructor } from '@grpc/grpc-js';
import { chunkCodec } from './chunk-codec.ts';
import {
  AdapterChunk,
  DownloadAdapterResponse,
  type TransferServiceClient as GeneratedClient,
  TransferServiceService as generated,
  UploadChunk,
  UploadUpdateRequest,
} from './gen/flexlora/transfer/v1/transfer_service.ts';

export { allocateChunk } from './chunk-codec.ts';
export type { TransferServiceServer } from './gen/flexlora/transfer/v1/transfer_service.ts';

const upload = chunkCodec(UploadUpdateRequest, UploadChunk.fromPartial({}));
const download = chunkCodec(DownloadAdapterResponse, AdapterChunk.fromPartial({}));

/** The generated definition, with chunks that are copied as little as can be. */
export const TransferServiceService = {
  ...generated,
  uploadUpdate: {
    ...generated.uploadUpdate,
    requestSerialize: upload.serialize,
    requestDeserialize: upload.deserialize,
  },
  downloadAdapter: {
    ...generated.downloadAdapter,
    responseSerialize: download.serialize,
    responseDeserialize: download.deserialize,
  },
} satisfies typeof generated;

export type TransferServiceClient = GeneratedClient;
export const TransferServiceClient = makeGenericClientConstructor(
  TransferServiceService,
  'flexlora.transfer.v1.TransferService',
) as unknown as new (
  ...args: ConstructorParameters<typeof Client>
) => TransferServiceClient;
