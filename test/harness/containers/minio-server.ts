import { ensureS3Bucket } from '@flexlora/stores';
import {
  type BackingService,
  givenService,
  type NoService,
  type ServiceOptions,
  type ServiceRecipe,
  startBackingService,
} from './backing-service.ts';

export interface MinioServer extends BackingService {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Exists. */
  readonly bucket: string;
}

const USER = 'flexlora-test';
const PASSWORD = 'flexlora-test-only';

const RECIPE: ServiceRecipe = {
  name: 'MinIO',
  image: 'quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z',
  containerPort: 9000,
  containerCommand: ['server', '/data'],
  environment: {
    MINIO_ROOT_USER: USER,
    MINIO_ROOT_PASSWORD: PASSWORD,
    MINIO_BROWSER: 'off',
    MINIO_UPDATE: 'off',
  },
  program: 'minio',
  programArguments: (port, directory) => ['server', '--quiet', '--address', `127.0.0.1:${port}`, directory],
  async answers(port) {
    try {
      const { ok } = await fetch(`http://127.0.0.1:${port}/minio/health/ready`, { signal: AbortSignal.timeout(2_000) });
      return ok;
    } catch {
      return false;
    }
  },
};

/** A MinIO with a bucket for tests; with `{ use: 'any' }` (the default) the S3 that `S3_ENDPOINT` names, if it is set. */
export async function startMinio(options: ServiceOptions = {}): Promise<MinioServer | NoService> {
  const bucket = process.env['S3_BUCKET'] ?? 'flexlora-test';
  const region = process.env['AWS_REGION'] ?? 'us-east-1';
  const given = process.env['S3_ENDPOINT'];
  let server: MinioServer;
  if (given !== undefined && given !== '' && options.use !== 'own') {
    const accessKeyId = process.env['AWS_ACCESS_KEY_ID'];
    const secretAccessKey = process.env['AWS_SECRET_ACCESS_KEY'];
    if (accessKeyId === undefined || secretAccessKey === undefined)
      throw new Error('S3_ENDPOINT is set; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY too');
    const service = givenService('S3', Number(new URL(given).port || 443));
    server = { ...service, endpoint: given, region, accessKeyId, secretAccessKey, bucket };
  } else {
    const service = await startBackingService(RECIPE, options);
    if ('skip' in service) return service;
    const endpoint = `http://127.0.0.1:${service.port}`;
    server = { ...service, endpoint, region, accessKeyId: USER, secretAccessKey: PASSWORD, bucket };
  }
  try {
    await ensureS3Bucket({
      endpoint: server.endpoint,
      region,
      bucket,
      credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
      forcePathStyle: true,
    });
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
}
