import { type TransferServiceServer, TransferServiceService } from '@flexlora/contracts/transfer';
import type { Clock, GrpcServiceBinding, HandlerAdapter } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import type { OrchestratorMetrics } from '../metrics.ts';
import type { EventDoor } from '../offer-event.ts';
import type { RunReader } from '../run-reader.ts';
import type { Slots } from '../slots.ts';
import { commitUpload } from './commit-upload.ts';
import { downloadAdapter } from './download-adapter.ts';
import type { ManifestCache } from './manifest-cache.ts';
import { openUpload } from './open-upload.ts';
import { abortUpload, getUpload } from './upload-progress.ts';
import { uploadUpdate } from './upload-update.ts';

export interface TransferDeps {
  readonly objectStore: ObjectStore;
  readonly reader: RunReader;
  readonly door: EventDoor;
  readonly manifests: ManifestCache;
  readonly uploadSlots: Slots;
  readonly downloadSlots: Slots;
  readonly clock: Clock;
  readonly metrics: OrchestratorMetrics;
  /** 32 hexadecimal digits, never the same twice. */
  readonly randomId: () => string;
}

/** The bytes of updates and adapters. No call leaves anything in memory: any replica goes on with any transfer. */
export function bindTransferService(deps: TransferDeps, adapter: HandlerAdapter): GrpcServiceBinding {
  const implementation: TransferServiceServer = {
    openUpload: adapter.unary((request, call) => openUpload(deps, request, call)),
    uploadUpdate: adapter.bidi((requests, call) => uploadUpdate(deps, requests, call)),
    getUpload: adapter.unary((request, call) => getUpload(deps, request, call)),
    commitUpload: adapter.unary((request, call) => commitUpload(deps, request, call)),
    abortUpload: adapter.unary((request, call) => abortUpload(deps, request, call)),
    downloadAdapter: adapter.serverStream((request, call) => downloadAdapter(deps, request, call)),
  };
  return { definition: TransferServiceService, implementation };
}
