import type { EventId, RunId } from '@flexlora/core';
import { Redis, type RedisOptions } from 'ioredis';
import { inboxEntry, parseInboxEntry, replyOf } from './event-entry.ts';
import {
  epochKey,
  eventKey,
  eventKeyPrefix,
  inboxKey,
  leaseKey,
  RUNS_KEY,
  SIGNALS_CHANNEL,
  stateKey,
  versionKey,
} from './keys.ts';
import {
  assertCommitTexts,
  assertEventId,
  assertHolder,
  assertInboxRead,
  assertTtlMs,
  CALLS_IN_FLIGHT_MAX,
} from './limits.ts';
import { type LuaCommands, loadLuaScripts } from './lua-scripts.ts';
import {
  INBOX_EVENTS_MAX,
  type Lease,
  REPLY_TTL_MS,
  type RoundStore,
  RoundStoreFault,
  type StoreSignal,
} from './port.ts';
import { redisConcerns } from './redis-config.ts';
import { redisFault } from './redis-fault.ts';
import { SCRIPT_CODES } from './script-codes.ts';
import { committedSignalPrefix, offeredSignal, parseSignal, releasedSignal } from './signal.ts';

/*
 * The data model (`keys.ts` is the catalogue of keys, `docs/reference/store-keys.md` describes each):
 *
 *   flexlora:runs ──────────── set ───▶ run ids
 *
 *   flexlora:{run}:epoch ───── counter   grants so far; it exists exactly when the run is known      ◀─ acquire-lease
 *   flexlora:{run}:lease ───── string    "<epoch> <holder>"   PX: Redis' clock lets it run out       ◀─ acquire-, renew-, release-lease
 *   flexlora:{run}:inbox ───── list      "<event id>\n<body>" …  oldest first                        ◀─ offer (RPUSH), commit (LTRIM)
 *   flexlora:{run}:event:<id>  string    q: waits │ d: consumed, PX │ r<reply>, PX                   ◀─ offer, commit
 *   flexlora:{run}:version ─── counter   commits so far                                              ◀─ commit
 *   flexlora:{run}:state ───── hash      field → text                                                ◀─ commit
 *
 *   flexlora:signals ───────── channel   "offered <run>" │ "committed <run> <version>"               ◀─ offer, commit
 *
 * Everything that must hold together is one script of `lua/`; a commit is fenced by lease, epoch and version inside its script.
 */

export interface RedisRoundStoreOptions {
  /** `redis://user:password@host:6379/0`, or `rediss://` for TLS. */
  readonly url: string;
  /** After which a call faults although the connection stands. Default 5,000. */
  readonly commandTimeoutMs?: number;
  /** How long a call waits for a connection that is being opened before it faults. Default 1,000. */
  readonly connectionWaitMs?: number;
  readonly inboxEventsMax?: number;
  readonly replyTtlMs?: number;
  /** Told by `checkReady`, once each, what is dangerous but no reason to refuse work. */
  readonly onWarning?: (message: string) => void;
}

const COMMAND_TIMEOUT_MS = 5_000;
const CONNECTION_WAIT_MS = 1_000;
const RECONNECT_FIRST_MS = 50;
const RECONNECT_MOST_MS = 2_000;

export function createRedisRoundStore(options: RedisRoundStoreOptions): RoundStore {
  const { inboxEventsMax = INBOX_EVENTS_MAX, replyTtlMs = REPLY_TTL_MS } = options;
  const connection = openConnection(options, 'commands');
  let hearing: Hearing | null = null;
  let callsInFlight = 0;
  const warned = new Set<string>();

  /** Every use of the connection: waits for it within bounds, and turns whatever goes wrong into a fault. */
  async function call<T>(doing: string, command: (redis: ScriptedRedis) => Promise<T>): Promise<T> {
    if (callsInFlight >= CALLS_IN_FLIGHT_MAX)
      throw new RoundStoreFault(
        `Redis was not asked to ${doing}: ${callsInFlight} calls wait for an answer; allowed: ${CALLS_IN_FLIGHT_MAX}; try again later`,
      );
    callsInFlight += 1;
    try {
      await connection.ready();
      return await command(connection.redis);
    } catch (error) {
      throw error instanceof RoundStoreFault ? error : redisFault(doing, error);
    } finally {
      callsInFlight -= 1;
    }
  }

  return {
    createRun: (runId) =>
      call(`create run ${runId}`, async (redis) => {
        // Listed first: a run that is known is always listed, also when the process is killed between the two.
        await redis.sadd(RUNS_KEY, runId);
        return (await redis.set(epochKey(runId), 0, 'NX')) === 'OK' ? 'created' : 'exists';
      }),

    listRuns: () => call('list runs', async (redis) => (await redis.smembers(RUNS_KEY)) as RunId[]),

    async acquireLease(runId, holder, ttlMs) {
      assertHolder(holder);
      assertTtlMs(ttlMs);
      const [epoch, forMs] = await call(`grant the lease of run ${runId}`, (redis) =>
        redis.acquireLease(epochKey(runId), leaseKey(runId), holder, ttlMs),
      );
      if (epoch === SCRIPT_CODES.unknownRun) return { kind: 'unknownRun' };
      return epoch === SCRIPT_CODES.held
        ? { kind: 'held', forMs }
        : { kind: 'granted', lease: { runId, holder, epoch } };
    },

    async renewLease(lease, ttlMs) {
      assertTtlMs(ttlMs);
      const code = await call(`renew the lease of run ${lease.runId}`, (redis) =>
        redis.renewLease(leaseKey(lease.runId), leaseToken(lease), ttlMs),
      );
      return code === SCRIPT_CODES.done;
    },

    async releaseLease(lease) {
      await call(`take back the lease of run ${lease.runId}`, (redis) =>
        redis.releaseLease(leaseKey(lease.runId), leaseToken(lease), SIGNALS_CHANNEL, releasedSignal(lease.runId)),
      );
    },

    async offer(runId, event) {
      assertEventId(event.eventId);
      const code = await call(`take event ${event.eventId} of run ${runId}`, (redis) =>
        redis.offerEvent(
          ...[epochKey(runId), inboxKey(runId), eventKey(runId, event.eventId)],
          ...[inboxEntry(event), inboxEventsMax, SIGNALS_CHANNEL, offeredSignal(runId)],
        ),
      );
      if (code === SCRIPT_CODES.unknownRun) return 'unknownRun';
      if (code === SCRIPT_CODES.repeated) return 'repeated';
      return code === SCRIPT_CODES.full ? 'full' : 'queued';
    },

    async readInbox(runId, max) {
      assertInboxRead(max);
      const entries = await call(`read the inbox of run ${runId}`, (redis) =>
        redis.lrange(inboxKey(runId), 0, max - 1),
      );
      return entries.map(parseInboxEntry);
    },

    readReply: (runId, eventId: EventId) =>
      call(`read the reply to event ${eventId} of run ${runId}`, async (redis) =>
        replyOf(await redis.get(eventKey(runId, eventId))),
      ),

    async readState(runId) {
      const answer = await call(`read the state of run ${runId}`, (redis) =>
        redis.readState(versionKey(runId), stateKey(runId)),
      );
      if (answer === null) return null;
      const fields = new Map<string, string>();
      for (let at = 0; at < answer[1].length; at += 2) fields.set(answer[1][at]!, answer[1][at + 1]!);
      return { version: Number(answer[0]), fields };
    },

    async readFields(runId, fields) {
      const [version, ...values] = await call(`read fields of run ${runId}`, (redis) =>
        redis.readFields(versionKey(runId), stateKey(runId), fields),
      );
      return { version: Number(version), values };
    },

    async commit(lease, batch) {
      const { runId } = lease;
      const texts = [
        ...batch.drop,
        ...[...batch.put].flat(),
        ...batch.replies.flatMap(({ eventId, body }) => [eventId, body]),
      ];
      assertCommitTexts(texts.length);
      const code = await call(`commit to run ${runId}`, (redis) =>
        redis.commitBatch(
          ...[leaseKey(runId), epochKey(runId), versionKey(runId), stateKey(runId), inboxKey(runId)],
          ...[lease.epoch, lease.holder, batch.expectedVersion, batch.consumed, eventKeyPrefix(runId), replyTtlMs],
          ...[SIGNALS_CHANNEL, committedSignalPrefix(runId), batch.drop.length, batch.put.size, batch.replies.length],
          texts,
        ),
      );
      return code === SCRIPT_CODES.fenced ? 'fenced' : 'committed';
    },

    async subscribe(listener) {
      hearing ??= openHearing(options);
      const mine = hearing;
      const entry = { listener };
      mine.listeners.add(entry);
      try {
        await mine.subscribed;
      } catch (error) {
        if (hearing === mine) hearing = null;
        throw error;
      }
      return () => {
        mine.listeners.delete(entry);
      };
    },

    checkReady: () =>
      call('show that it is ready', async (redis) => {
        await redis.ping();
        const { faults, warnings } = redisConcerns(await redis.info());
        if (faults.length > 0) throw new RoundStoreFault(`Redis is not fit to hold rounds: ${faults.join('; ')}`);
        for (const warning of warnings) {
          if (!warned.has(warning)) options.onWarning?.(warning);
          warned.add(warning);
        }
      }),

    async close() {
      hearing?.connection.close();
      connection.close();
    },
  };
}

const leaseToken = (lease: Lease): string => `${lease.epoch} ${lease.holder}`;

type ScriptedRedis = Redis & LuaCommands;

interface Connection {
  readonly redis: ScriptedRedis;
  /** Resolves at once when the connection stands, else when it does; a fault after `connectionWaitMs`. */
  ready(): Promise<void>;
  close(): void;
}

function openConnection(options: RedisRoundStoreOptions, purpose: 'commands' | 'signals'): Connection {
  const { commandTimeoutMs = COMMAND_TIMEOUT_MS, connectionWaitMs = CONNECTION_WAIT_MS } = options;
  const redis = new Redis(options.url, {
    connectionName: `flexlora-${purpose}`,
    commandTimeout: commandTimeoutMs,
    connectTimeout: commandTimeoutMs,
    // A server that vanished without a word: commands time out, then the socket is given up and opened anew.
    socketTimeout: 2 * commandTimeoutMs,
    // Nothing is queued or sent again behind the caller's back: a commit that is sent twice fences itself.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // `openHearing` does it: the client's own way leaves a failure unhandled, which ends the process.
    autoResubscribe: false,
    retryStrategy: reconnectDelayMs,
    // After a failover the old primary may answer as a replica: connect again, to whom the name now points.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    scripts: loadLuaScripts(),
  } satisfies RedisOptions) as unknown as ScriptedRedis;

  let lastError: Error | null = null;
  let opening: Promise<void> | null = null;
  const closing = new AbortController();
  redis.on('error', (error) => {
    lastError = error;
  });

  function opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (fault: RoundStoreFault | null): void => {
        clearTimeout(timer);
        redis.off('ready', onReady);
        closing.signal.removeEventListener('abort', onClose);
        if (fault === null) resolve();
        else reject(fault);
      };
      const onReady = (): void => finish(null);
      const onClose = (): void => finish(closedFault());
      const timer = setTimeout(
        () => finish(redisFault(`connect within ${connectionWaitMs} ms`, lastError ?? new Error('no answer yet'))),
        connectionWaitMs,
      );
      redis.on('ready', onReady);
      closing.signal.addEventListener('abort', onClose);
    });
  }

  return {
    redis,
    async ready() {
      if (closing.signal.aborted) throw closedFault();
      if (redis.status === 'ready') return;
      opening ??= opened().finally(() => {
        opening = null;
      });
      await opening;
    },
    close() {
      closing.abort();
      redis.disconnect();
    },
  };
}

/** Doubles from 50 ms to 2 s, and is drawn between half of that and the whole, so that processes do not come back in step. */
function reconnectDelayMs(attempt: number): number {
  const whole = Math.min(RECONNECT_MOST_MS, RECONNECT_FIRST_MS * 2 ** Math.min(attempt - 1, 10));
  return whole * (0.5 + 0.5 * Math.random());
}

const closedFault = (): RoundStoreFault => new RoundStoreFault('Redis was not asked: this round store is closed');

interface Hearing {
  readonly connection: Connection;
  readonly listeners: Set<{ readonly listener: (signal: StoreSignal) => void }>;
  readonly subscribed: Promise<void>;
}

/** A second connection, since a connection that hears may not ask. It subscribes again by itself after it was lost. */
function openHearing(options: RedisRoundStoreOptions): Hearing {
  const connection = openConnection(options, 'signals');
  const listeners: Hearing['listeners'] = new Set();
  connection.redis.on('message', (_channel, line) => {
    const signal = parseSignal(line);
    if (signal !== null) for (const { listener } of listeners) listener(signal);
  });
  const subscribe = async (): Promise<void> => {
    await connection.ready();
    await connection.redis.subscribe(SIGNALS_CHANNEL);
  };
  const subscribed = subscribe().then(
    () => {
      connection.redis.on('ready', () => subscribe().catch(() => connection.redis.disconnect(true)));
    },
    (error: unknown) => {
      connection.close();
      throw error instanceof RoundStoreFault ? error : redisFault('subscribe to signals', error);
    },
  );
  return { connection, listeners, subscribed };
}
