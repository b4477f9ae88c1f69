import { Metadata, status } from '@grpc/grpc-js';
import type { Clock } from '../../clock.ts';
import type { CallerEnd, CallerLine } from './client-call.ts';
import type { CallFrame, ReplyFrame, RequestFrame } from './frame.ts';
import { createLane } from './lane.ts';
import { beginServerCall, type ServedMethod, type ServerEnd } from './server-call.ts';

export interface NetworkMessage {
  /** Hosts. */
  readonly from: string;
  readonly to: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  /** `call`: the request of a unary or server-streaming method with it. `answer`: a unary response. */
  readonly kind: RequestFrame['kind'] | ReplyFrame['kind'] | 'cancel';
}

export type MessageFate =
  | { readonly kind: 'pass'; readonly afterMs: number }
  /** A unary call that is handled twice, and answered by whoever is first; any other message passes once. */
  | { readonly kind: 'passTwice'; readonly afterMs: number }
  /** It never comes, nor does anything after it: either side hears of it as of a dead line, if its deadline is not sooner. */
  | { readonly kind: 'lost' }
  /** It never comes, and both sides hear at once. */
  | { readonly kind: 'cut' };

/** Keepalive finds a dead line after this: 30 s of silence and 10 s without an answer. */
export const LINE_DEAD_MS = 40_000;

export interface Host {
  readonly name: string;
  readonly clock: Clock;
  /** Its process is gone: it hears nothing and says nothing. */
  isDead: boolean;
}

/** The line of one call, as its caller and the network have it. */
export interface Wire extends CallerLine {
  readonly from: string;
  readonly to: string;
  /** Both sides hear of it at once. */
  cut(details: string): void;
  /** Cuts it when the two hosts are still parted after the time that finds a dead line. */
  watch(): void;
}

export interface WireDeps {
  readonly clock: Clock;
  readonly caller: Host;
  readonly server: Host;
  /** Asked when the call arrives. */
  readonly methodOf: (path: string) => ServedMethod | 'unknown' | 'gone';
  readonly isParted: () => boolean;
  readonly fateOf: (message: NetworkMessage) => MessageFate;
  readonly onEnd: () => void;
}

export function openWire(deps: WireDeps, call: CallFrame, end: CallerEnd): Wire {
  const { clock, caller, server } = deps;
  const { path } = call;
  const ended = new AbortController();
  const ends: ServerEnd[] = [];
  let isSilent = false;
  let times = 1;

  const finish = (): void => {
    ended.abort();
    deps.onEnd();
  };
  const after = (ms: number, act: () => void): void => {
    clock.sleep(ms, ended.signal).then(act, () => {});
  };
  const cut = (details: string): void => {
    if (ended.signal.aborted) return;
    finish();
    if (!caller.isDead) end.broken(details);
    if (!server.isDead) for (const one of ends) one.cancel();
  };
  const silence = (): void => {
    if (!isSilent) after(LINE_DEAD_MS, () => cut('the line is dead'));
    isSilent = true;
  };
  /** How long a message is under way; null when it never comes. */
  const travel = (kind: NetworkMessage['kind'], from: Host, to: Host): number | null => {
    if (deps.isParted()) silence();
    if (isSilent || ended.signal.aborted) return null;
    const fate = deps.fateOf({ from: from.name, to: to.name, path, kind });
    switch (fate.kind) {
      case 'pass':
        return fate.afterMs;
      case 'passTwice':
        if (kind === 'call') times = 2;
        return fate.afterMs;
      case 'lost':
        silence();
        return null;
      case 'cut':
        queueMicrotask(() => cut('the line was cut'));
        return null;
    }
  };

  const replies = createLane<ReplyFrame>({
    clock,
    ended: ended.signal,
    travel: ({ kind }) => travel(kind, server, caller),
    deliver: (frame) => {
      if (frame.kind !== 'message') finish();
      if (!caller.isDead) end.deliver(frame);
    },
  });
  const requests = createLane<RequestFrame>({
    clock,
    ended: ended.signal,
    travel: ({ kind }) => travel(kind, caller, server),
    deliver: (frame) => (frame.kind === 'call' ? begin() : ends[0]?.deliver(frame)),
  });

  function begin(): void {
    const method = deps.methodOf(path);
    if (method === 'gone') {
      cut('the server has gone');
      return;
    }
    if (method === 'unknown') {
      const unserved = { code: status.UNIMPLEMENTED, details: `${path} is not served`, metadata: new Metadata() };
      replies.send({ kind: 'answer', bytes: null, status: unserved });
      return;
    }
    const { requestStream, responseStream } = method.definition;
    const line = { send: replies.send, take: requests.take, peer: `memory:${caller.name}` };
    for (let left = requestStream || responseStream ? 1 : times; left > 0; left -= 1)
      ends.push(beginServerCall(method, { ...call, metadata: call.metadata.clone() }, line));
  }

  requests.send(call);
  return {
    from: caller.name,
    to: server.name,
    peer: `memory:${server.name}`,
    send: requests.send,
    take: replies.take,
    giveUp: () => {
      const afterMs = travel('cancel', caller, server);
      if (afterMs === null) return;
      void requests.arrived().then(() =>
        after(afterMs, () => {
          finish();
          if (!server.isDead) for (const one of ends) one.cancel();
        }),
      );
    },
    cut,
    watch: () =>
      after(LINE_DEAD_MS, () => {
        if (deps.isParted()) cut('the line is dead');
      }),
  };
}
