import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '@flexlora/core';
import type { Clock, Environment, S3Options } from '@flexlora/runtime';
import { namesNoStore, readStores } from '../federation/config.ts';
import { readProgramEnvironment, readSearchPath } from './config.ts';
import { type BackingProgram, findProgram, startProgram } from './program.ts';
import { MINIO, MINIO_KEYS, REDIS } from './recipes.ts';

/** A Redis and an S3: given by the environment, or started for as long as they are needed. */
export interface OpenStores {
  readonly redisUrl: string;
  readonly s3: S3Options;
  /** Those that were started; none where the environment names them. */
  readonly programs: readonly BackingProgram[];
  /** Ends what was started, and removes its data. */
  close(): Promise<void>;
}

/**
 * The stores that the environment names; where it names neither, redis-server and minio from PATH with data of their own.
 *
 * @throws {ConfigError} when it names one of them alone. @throws {Fault} when there is nothing to start, or it does not start.
 */
export async function openStores(deps: { readonly clock: Clock }, env?: Environment): Promise<OpenStores> {
  if (!namesNoStore(env)) return { ...readStores(env), programs: [], close: async () => {} };
  const folders = readSearchPath(env);
  const found = [REDIS, MINIO].map((recipe) => ({ recipe, path: findProgram(recipe.program, folders) }));
  const missing = found.filter(({ path }) => path === null).map(({ recipe }) => recipe.program);
  if (missing.length > 0)
    throw new Fault(
      `there are no stores: REDIS_URL and S3_ENDPOINT are not set, and ${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} not on PATH; put ${missing.length === 1 ? 'it' : 'them'} there, or set REDIS_URL, S3_ENDPOINT, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
    );
  const directory = await mkdtemp(join(tmpdir(), 'flexlora-stores-'));
  const programs: BackingProgram[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(programs.map((program) => program.stop()));
    await rm(directory, { recursive: true, force: true });
  };
  try {
    for (const { recipe, path } of found) {
      const data = join(directory, recipe.program);
      await mkdir(data);
      const environment = readProgramEnvironment(env);
      programs.push(await startProgram(recipe, { path: path ?? recipe.program, directory: data, environment }, deps));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const [redis, minio] = programs;
  return {
    redisUrl: `redis://127.0.0.1:${redis?.port}`,
    s3: {
      bucket: 'flexlora',
      region: 'us-east-1',
      endpoint: `http://127.0.0.1:${minio?.port}`,
      forcePathStyle: true,
      credentials: MINIO_KEYS,
    },
    programs,
    close,
  };
}
