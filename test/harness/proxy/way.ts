import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** One direction of a proxy, over all of its connections: where bytes are counted, delayed and held. */
export interface Way {
  /** Passes on what a socket reads to another one, until it ends. `look` sees each piece as it comes, and may drop it. */
  carry(from: Socket, to: Socket, look?: (bytes: Buffer) => 'pass' | 'drop'): { readonly freeze: () => void };
  delay(ms: number): void;
  holdAfter(bytes: number): void;
  isHolding(): boolean;
  letGo(): void;
  passed(): number;
}

/** What waits in one direction of one connection; past it the sender is no longer read. */
export const QUEUED_BYTES_MAX = 1 << 20;

interface Piece {
  readonly bytes: Buffer;
  readonly dueAtMs: number;
}

/** @param queuedBytesMax a link that takes time carries no more than this in that time. */
export function createWay(queuedBytesMax: number = QUEUED_BYTES_MAX): Way {
  let delayMs = 0;
  let passed = 0;
  let allowance = Number.POSITIVE_INFINITY;
  let waiting: (() => void)[] = [];

  const allowed = async (): Promise<void> => {
    while (allowance <= 0) await new Promise<void>((resolve) => waiting.push(resolve));
  };

  /** Writes a piece as far as it may pass, and then the rest of it. */
  async function pass(bytes: Buffer, to: Socket): Promise<void> {
    for (let at = 0; at < bytes.byteLength && !to.destroyed; ) {
      await allowed();
      if (to.destroyed) return;
      const part = bytes.subarray(at, at + Math.min(bytes.byteLength - at, allowance));
      allowance -= part.byteLength;
      passed += part.byteLength;
      at += part.byteLength;
      if (!to.write(part)) await drained(to);
    }
  }

  function carry(from: Socket, to: Socket, look: (bytes: Buffer) => 'pass' | 'drop' = () => 'pass') {
    const queue: Piece[] = [];
    let queuedBytes = 0;
    let isFrozen = false;
    /** `ended`: nothing more is said, and the other way goes on. `closed`: there is no connection any more. */
    let end: 'open' | 'ended' | 'closed' = 'open';
    let isMoving = false;

    const move = async (): Promise<void> => {
      if (isMoving) return;
      isMoving = true;
      for (let piece = queue[0]; piece !== undefined && !isFrozen; piece = queue[0]) {
        const waitMs = piece.dueAtMs - performance.now();
        if (waitMs > 0) await sleep(waitMs);
        await pass(piece.bytes, to);
        queue.shift();
        queuedBytes -= piece.bytes.byteLength;
        if (queuedBytes < queuedBytesMax && !isFrozen) from.resume();
      }
      isMoving = false;
      // All that was said before the end has passed: now the end does.
      if (isFrozen || end === 'open') return;
      if (end === 'closed') to.destroySoon();
      else to.end();
    };

    from.on('data', (bytes: Buffer) => {
      if (look(bytes) === 'drop') return;
      queue.push({ bytes, dueAtMs: performance.now() + delayMs });
      queuedBytes += bytes.byteLength;
      if (queuedBytes >= queuedBytesMax) from.pause();
      void move();
    });
    from.on('end', () => {
      end = 'ended';
      void move();
    });
    from.on('close', () => {
      end = 'closed';
      void move();
    });
    return {
      freeze: () => {
        isFrozen = true;
        from.pause();
      },
    };
  }

  return {
    carry,
    delay: (ms) => {
      delayMs = ms;
    },
    holdAfter: (bytes) => {
      allowance = bytes;
    },
    isHolding: () => waiting.length > 0,
    letGo: () => {
      allowance = Number.POSITIVE_INFINITY;
      const ready = waiting;
      waiting = [];
      for (const go of ready) go();
    },
    passed: () => passed,
  };
}

/** Also resolves when the socket closes: then nothing waits for it. */
const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
