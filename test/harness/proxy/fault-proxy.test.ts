import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { openFaultProxy } from './fault-proxy.ts';

// Answers every piece with itself.
const echo = createServer((socket) => {
  socket.on('error', () => {});
  socket.pipe(socket);
});
echo.listen(0, '127.0.0.1');
await once(echo, 'listening');
const open: { close(): unknown }[] = [echo];
after(() => {
  for (const each of open.reverse()) each.close();
});

async function throughProxy() {
  const proxy = await openFaultProxy((echo.address() as AddressInfo).port);
  const socket = connect(proxy.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  open.push({ close: () => socket.destroy() }, proxy);
  return { proxy, socket };
}

async function read(socket: Socket, bytes: number): Promise<string> {
  let text = '';
  while (text.length < bytes) {
    const [piece] = (await once(socket, 'data')) as [Buffer];
    text += piece.toString();
  }
  return text;
}

/** Yields to the event loop until it is so: nothing here depends on how long it takes. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

test('what passes is counted each way', async () => {
  const { proxy, socket } = await throughProxy();
  socket.write('hello');
  assert.equal(await read(socket, 5), 'hello');
  assert.deepEqual([proxy.passed('toServer'), proxy.passed('toClient')], [5, 5]);
});

test('a held way lets as many bytes pass as were allowed, and the rest when it is let go', async () => {
  const { proxy, socket } = await throughProxy();
  proxy.holdAfter('toServer', 4);
  socket.write('0123456789');
  assert.equal(await read(socket, 4), '0123');
  await until(() => proxy.isHolding('toServer'));
  assert.equal(proxy.passed('toServer'), 4);
  assert.equal(proxy.isHolding('toClient'), false);
  proxy.letGo();
  assert.equal(await read(socket, 6), '456789');
});

test('a delayed link keeps the order of what it carries, and delays the end as well', async () => {
  const { proxy, socket } = await throughProxy();
  proxy.delay(20);
  const whole = Array.from({ length: 50 }, (_, index) => String(index).padStart(4, '0'));
  const startedAt = performance.now();
  for (const piece of whole) socket.write(piece);
  assert.equal(await read(socket, 200), whole.join(''));
  // A lower bound cannot fail on a slow machine: 20 ms there, 20 ms back, less the timers' rounding.
  assert.ok(performance.now() - startedAt >= 38);
  socket.end('last');
  assert.equal(await read(socket, 4), 'last');
  await once(socket, 'close');
});

test('a cut link breaks what is open and what is opened, until it is mended', async () => {
  const { proxy, socket } = await throughProxy();
  socket.write('x');
  await read(socket, 1);
  const closed = once(socket, 'close');
  proxy.cut();
  await closed;
  const refused = connect(proxy.port, '127.0.0.1');
  refused.on('error', () => {});
  await once(refused, 'close');
  proxy.mend();
  const again = connect(proxy.port, '127.0.0.1');
  open.push({ close: () => again.destroy() });
  again.write('back');
  assert.equal(await read(again, 4), 'back');
});

test('a lost answer cuts its connection alone', async () => {
  const { proxy, socket } = await throughProxy();
  const other = connect(proxy.port, '127.0.0.1');
  open.push({ close: () => other.destroy() });
  other.write('a');
  await read(other, 1);
  proxy.loseNextAnswer();
  socket.write('lost');
  await once(socket, 'close');
  other.write('b');
  assert.equal(await read(other, 1), 'b');
});
