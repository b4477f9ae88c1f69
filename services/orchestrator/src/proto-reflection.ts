import { fileURLToPath } from 'node:url';
import type { GrpcServerOptions } from '@flexlora/runtime';
import type { OrchestratorOptions } from './orchestrator.ts';

/** What gRPC reflection answers: the contracts of the services that are served, read from the repository's `proto/` (also in the image). */
export function protoReflection(role: OrchestratorOptions['role']): NonNullable<GrpcServerOptions['reflection']> {
  const root = fileURLToPath(new URL('../../../proto', import.meta.url));
  switch (role) {
    case 'control':
      return { root, files: CONTROL_FILES };
    case 'transfer':
      return { root, files: TRANSFER_FILES };
    case 'all':
      return { root, files: [...CONTROL_FILES, ...TRANSFER_FILES] };
  }
}

const CONTROL_FILES = [
  'flexlora/run/v1/run_service.proto',
  'flexlora/agent/v1/agent_service.proto',
  'flexlora/aggregation/v1/aggregation_service.proto',
];
const TRANSFER_FILES = ['flexlora/transfer/v1/transfer_service.proto'];
