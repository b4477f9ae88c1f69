import { connect } from 'node:net';
import {
  type BackingService,
  givenService,
  type NoService,
  type ServiceOptions,
  type ServiceRecipe,
  startBackingService,
} from './backing-service.ts';

export interface RedisServer extends BackingService {
  readonly url: string;
}

/** As in production: everything is kept in the append-only file, nothing is evicted. */
const SETTINGS = ['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction'];

const RECIPE: ServiceRecipe = {
  name: 'Redis',
  image: 'redis:7-bookworm',
  containerPort: 6379,
  containerCommand: ['redis-server', ...SETTINGS],
  environment: {},
  program: 'redis-server',
  programArguments: (port, directory) => ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, ...SETTINGS],
  answers: pings,
};

/** A Redis 7 for tests; with `{ use: 'any' }` (the default) the one that `REDIS_URL` names, if it is set. */
export async function startRedis(options: ServiceOptions = {}): Promise<RedisServer | NoService> {
  const given = process.env['REDIS_URL'];
  if (given !== undefined && given !== '' && options.use !== 'own')
    return { ...givenService('Redis', Number(new URL(given).port || 6379)), url: given };
  const service = await startBackingService(RECIPE);
  return 'skip' in service ? service : { ...service, url: `redis://127.0.0.1:${service.port}` };
}

function pings(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 2_000 });
    const answer = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => socket.write('PING\r\n'));
    // While it loads its data it answers with an error instead.
    socket.once('data', (text) => answer(text.toString().startsWith('+PONG')));
    socket.once('error', () => answer(false));
    socket.once('timeout', () => answer(false));
    socket.once('close', () => answer(false));
  });
}
