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
  /** Everything in it is gone, as after a restart without its files. */
  flush(): Promise<void>;
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
    return {
      ...givenService('Redis', Number(new URL(given).port || 6379)),
      url: given,
      flush: async () => {
        throw new Error('Redis was given by the environment and is not ours to empty; start it with { use: own }');
      },
    };
  const service = await startBackingService(RECIPE, options);
  if ('skip' in service) return service;
  const flush = async (): Promise<void> => {
    if (!(await answersTo('FLUSHALL', '+OK', service.port))) throw new Error('Redis did not answer FLUSHALL with OK');
  };
  return { ...service, url: `redis://127.0.0.1:${service.port}`, flush };
}

/** While it loads its data it answers with an error instead. */
function pings(port: number): Promise<boolean> {
  return answersTo('PING', '+PONG', port);
}

function answersTo(command: string, answer: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 2_000 });
    const end = (isSo: boolean): void => {
      socket.destroy();
      resolve(isSo);
    };
    socket.once('connect', () => socket.write(`${command}\r\n`));
    socket.once('data', (text) => end(text.toString().startsWith(answer)));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
    socket.once('close', () => end(false));
  });
}
