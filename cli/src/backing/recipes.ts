import { connect } from 'node:net';
import type { ProgramRecipe } from './program.ts';

const ANSWER_MS = 2_000;

/** As in production: everything is kept in the append-only file, nothing is evicted. */
export const REDIS: ProgramRecipe = {
  program: 'redis-server',
  environment: {},
  arguments: (port, directory) => [
    ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory],
    ...['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction'],
  ],
  answers: pings,
};

/** Of a store that listens on loopback and is gone when this process is. */
export const MINIO_KEYS = { accessKeyId: 'flexlora', secretAccessKey: 'flexlora-own' } as const;

export const MINIO: ProgramRecipe = {
  program: 'minio',
  environment: {
    MINIO_ROOT_USER: MINIO_KEYS.accessKeyId,
    MINIO_ROOT_PASSWORD: MINIO_KEYS.secretAccessKey,
    MINIO_BROWSER: 'off',
    MINIO_UPDATE: 'off',
  },
  arguments: (port, directory) => ['server', '--quiet', '--address', `127.0.0.1:${port}`, directory],
  answers: async (port) => {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/minio/health/ready`, {
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      return answer.ok;
    } catch {
      return false;
    }
  },
};

function pings(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const end = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.setTimeout(ANSWER_MS, () => end(false));
    socket.once('data', (text) => end(text.toString().startsWith('+PONG')));
    socket.once('error', () => end(false));
  });
}
