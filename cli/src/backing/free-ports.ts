import { randomInt } from 'node:crypto';
import getPort, { portNumbers } from 'get-port';

/**
 * Below what systems hand out by themselves (from 32768 on Linux, from 49152 on macOS and Windows): a port from there may be taken, by a
 * connection of anybody, before the server that it was found for listens on it or while that is started again.
 */
const [PORT_MIN, PORT_MAX] = [15_000, 32_767];
/** Two that look at once begin in different places. */
const FIRST_PORT_MAX = 30_000;
const HOST = '127.0.0.1';

/** Ports of this machine that nobody listens on, no two of them the same. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

export const freePort = (): Promise<number> =>
  getPort({ host: HOST, port: portNumbers(randomInt(PORT_MIN, FIRST_PORT_MAX), PORT_MAX) });
