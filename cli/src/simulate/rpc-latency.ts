import { failureOf } from '@flexlora/runtime';
import { InterceptingCall, type Interceptor, status } from '@grpc/grpc-js';
import { createLatencyHistogram, type LatencyHistogram } from './latency-histogram.ts';

/** Latencies of every call of this thread, by method. */
export interface RpcLatencies {
  /** For the clients whose calls are measured. */
  readonly interceptor: Interceptor;
  /** As they are now: a copy that another thread can be given. */
  counts(): readonly RpcCounts[];
}

/** What was counted of one method. */
export interface RpcCounts {
  readonly method: string;
  readonly kind: RpcLatency['kind'];
  /** Of a histogram. */
  readonly latencies: Uint32Array;
  readonly refused: number;
  readonly unavailable: number;
  readonly cancelled: number;
  readonly held: number;
}

/** What callers of one method saw. A unary call that they broke off themselves is in none of the numbers but `cancelled`. */
export interface RpcLatency {
  /** `AgentService/Enrol`. */
  readonly method: string;
  /** A stream's latency is its whole life. */
  readonly kind: 'unary' | 'stream';
  /** Calls that were answered, in whatever way. */
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The platform said no. */
  readonly refused: number;
  /** There was no answer, or none yet: tried again. */
  readonly unavailable: number;
  readonly cancelled: number;
  /** Calls that the server held as it was asked to: how long says nothing about it. */
  readonly held: number;
}

/**
 * How long the caller waited for the server, of the milliseconds that a call took; null for one that was held as it was asked to. For
 * methods that are not held it is all of them.
 */
export type WaitedFor = (answered: {
  readonly request: unknown;
  readonly response: unknown;
  readonly elapsedMs: number;
}) => number | null;

interface Row {
  readonly kind: 'unary' | 'stream';
  readonly histogram: LatencyHistogram;
  refused: number;
  unavailable: number;
  cancelled: number;
  held: number;
}

/** @param held by method: those that the server holds. */
export function createRpcLatencies(
  deps: { readonly nowMs: () => number },
  held: Readonly<Record<string, WaitedFor>>,
): RpcLatencies {
  const rows = new Map<string, Row>();

  const interceptor: Interceptor = (options, nextCall) => {
    const { path, requestStream, responseStream } = options.method_definition;
    const method = methodOf(path);
    const row = rowOf(rows, method, requestStream || responseStream ? 'stream' : 'unary');
    const startedAtMs = deps.nowMs();
    let request: unknown = null;
    let response: unknown = null;
    return new InterceptingCall(nextCall(options), {
      start: (metadata, _listener, next) =>
        next(metadata, {
          onReceiveMessage: (message, nextMessage) => {
            response = message;
            nextMessage(message);
          },
          onReceiveStatus: (ended, nextStatus) => {
            const elapsedMs = deps.nowMs() - startedAtMs;
            const waitedFor = ended.code === status.OK ? held[method] : undefined;
            count(row, ended, waitedFor === undefined ? elapsedMs : waitedFor({ request, response, elapsedMs }));
            nextStatus(ended);
          },
        }),
      sendMessage: (message, next) => {
        if (row.kind === 'unary') request = message;
        next(message);
      },
    });
  };

  return {
    interceptor,
    counts: () =>
      [...rows].map(([method, { histogram, ...counts }]) => ({ method, ...counts, latencies: histogram.counts() })),
  };
}

/** What was counted in several places, in one row for each method. */
export function rpcLatencies(places: Iterable<readonly RpcCounts[]>): readonly RpcLatency[] {
  const rows = new Map<string, Row>();
  for (const place of places)
    for (const { method, kind, latencies, ...counts } of place) {
      const row = rowOf(rows, method, kind);
      row.histogram.merge(latencies);
      for (const name of ['refused', 'unavailable', 'cancelled', 'held'] as const) row[name] += counts[name];
    }
  return [...rows]
    .map(([method, { histogram, ...counts }]) => ({
      method,
      ...counts,
      count: histogram.count + counts.held,
      p50Ms: histogram.quantile(0.5),
      p99Ms: histogram.quantile(0.99),
    }))
    .sort((a, b) => (a.method < b.method ? -1 : 1));
}

function rowOf(rows: Map<string, Row>, method: string, kind: Row['kind']): Row {
  const found = rows.get(method);
  if (found !== undefined) return found;
  const row = { kind, histogram: createLatencyHistogram(), refused: 0, unavailable: 0, cancelled: 0, held: 0 };
  rows.set(method, row);
  return row;
}

type Ended = Parameters<
  NonNullable<Extract<Parameters<InterceptingCall['start']>[1], { onReceiveStatus?: unknown }>['onReceiveStatus']>
>[0];

function count(row: Row, ended: Ended, waitedMs: number | null): void {
  if (ended.code === status.CANCELLED) {
    row.cancelled += 1;
    // Whoever has heard enough of a stream leaves it: that is its end.
    if (row.kind === 'unary') return;
  }
  if (waitedMs === null) row.held += 1;
  else row.histogram.add(Math.max(0, waitedMs));
  if (ended.code === status.OK || ended.code === status.CANCELLED) return;
  const failure = failureOf(Object.assign(new Error(ended.details), ended));
  if (failure.kind === 'refusal') row.refused += 1;
  else row.unavailable += 1;
}

/** `/flexlora.agent.v1.AgentService/Enrol` without its package. */
const methodOf = (path: string): string => path.replace(/^\/(?:[\w]+\.)*/, '');
