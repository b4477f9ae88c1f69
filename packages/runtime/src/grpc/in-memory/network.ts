import { ChannelCredentials, type ChannelInterface, connectivityState } from '@grpc/grpc-js';
import type { Clock } from '../../clock.ts';
import { readableService } from '../readable-service.ts';
import type { GrpcServerDoor, GrpcServerOptions } from '../server.ts';
import type { Transport } from '../transport.ts';
import { type CallerEnd, type CallerLine, callInMemory } from './client-call.ts';
import type { CallFrame } from './frame.ts';
import type { ServedMethod } from './server-call.ts';
import { type Host, type MessageFate, type NetworkMessage, openWire, type Wire } from './wire.ts';

/**
 * Hosts that call one another within one process, with the faults of a network. Every wait is the clock's and every choice `random`'s: the
 * same calls under the same decisions happen in the same order.
 */
export interface InMemoryNetwork {
  /**
   * The transport of a host. What it serves has the address `name:port`. A target names one address or several, divided by commas: one
   * that serves and is reached is taken. `clock` is the host's own where it is wrong: deadlines are read by it.
   */
  host(name: string, options?: { readonly clock?: Clock }): Transport;
  /** What becomes of every message from now on. Before it is said, all pass at once. */
  decide(fateOf: (message: NetworkMessage) => MessageFate): void;
  /** Nothing passes between two hosts until `heal`; calls that it caught end as on a dead line. */
  partition(one: string, other: string): void;
  heal(one: string, other: string): void;
  /**
   * The host's process is gone: what it serves is not there, its calls and those to it are cut. Transports that it had are dead: their
   * calls never settle. `host` gives its next process a new one.
   */
  kill(name: string): void;
  /** Calls under way. */
  calls(): number;
}

interface Server {
  readonly host: Host;
  readonly methods: ReadonlyMap<string, ServedMethod>;
  readonly wires: Set<Wire>;
  isServing: boolean;
  onIdle: () => void;
}

export function createInMemoryNetwork(deps: { readonly clock: Clock; readonly random: () => number }): InMemoryNetwork {
  const { clock, random } = deps;
  const hosts = new Map<string, Host>();
  const servers = new Map<string, Server>();
  const partitions = new Set<string>();
  const wires = new Set<Wire>();
  let fateOf: (message: NetworkMessage) => MessageFate = () => ({ kind: 'pass', afterMs: 0 });
  let nextPort = FIRST_PORT;

  const isParted = (one: string, other: string): boolean => partitions.has(pairOf(one, other));

  function choose(target: string, from: string): Server | null {
    const there = target
      .replace(/^dns:\/\/\//, '')
      .split(',')
      .flatMap((address) => servers.get(address) ?? [])
      .filter(({ host }) => !isParted(from, host.name));
    return there[there.length > 1 ? Math.floor(random() * there.length) : 0] ?? null;
  }

  function open(caller: Host, target: string, call: CallFrame, end: CallerEnd): CallerLine {
    if (caller.isDead) return NO_LINE;
    const server = choose(target, caller.name);
    if (server === null) {
      end.broken(`nobody answers at ${target}`);
      return NO_LINE;
    }
    const { host, methods } = server;
    const wire = openWire(
      {
        clock,
        caller,
        server: host,
        methodOf: (path) => (server.isServing ? (methods.get(path) ?? 'unknown') : 'gone'),
        isParted: () => isParted(caller.name, host.name),
        fateOf: (message) => fateOf(message),
        onEnd: () => {
          wires.delete(wire);
          server.wires.delete(wire);
          if (server.wires.size === 0) server.onIdle();
        },
      },
      call,
      end,
    );
    wires.add(wire);
    server.wires.add(wire);
    return wire;
  }

  function serve(host: Host, options: GrpcServerOptions): Promise<GrpcServerDoor> {
    if (host.isDead) return new Promise(() => {});
    const port = options.port === 0 ? nextPort++ : options.port;
    const address = `${host.name}:${port}`;
    if (servers.has(address)) return Promise.reject(new Error(`${address} is taken; choose a free port`));
    const server: Server = { host, methods: methodsOf(options), wires: new Set(), isServing: true, onIdle: () => {} };
    servers.set(address, server);
    const stop = async (graceMs: number): Promise<void> => {
      if (servers.get(address) === server) servers.delete(address);
      server.isServing = false;
      if (server.wires.size === 0) return;
      const idle = new AbortController();
      server.onIdle = () => idle.abort();
      await clock.sleep(graceMs, idle.signal).catch(() => {});
      for (const wire of [...server.wires]) wire.cut('the server has stopped');
    };
    return Promise.resolve({ port, setServing: () => {}, stop });
  }

  return {
    host(name, options = {}) {
      let host = hosts.get(name);
      if (host === undefined || host.isDead) {
        host = { name, clock: options.clock ?? clock, isDead: false };
        hosts.set(name, host);
      }
      const own = host;
      return {
        serve: (serverOptions) => serve(own, serverOptions),
        connect: (Constructor, { target, interceptors = [] }) => {
          const call = callInMemory({
            clock: own.clock,
            isDead: () => own.isDead,
            open: (frame, end) => open(own, target, frame, end),
          });
          return new Constructor(target, ChannelCredentials.createInsecure(), {
            channelOverride: channelTo(target),
            interceptors: [...interceptors, call],
          });
        },
      };
    },
    decide: (decision) => {
      fateOf = decision;
    },
    partition: (one, other) => {
      partitions.add(pairOf(one, other));
      // A call on which nothing is sent meanwhile is caught as well, when the partition lasts.
      for (const wire of wires) if (pairOf(wire.from, wire.to) === pairOf(one, other)) wire.watch();
    },
    heal: (one, other) => void partitions.delete(pairOf(one, other)),
    kill: (name) => {
      const host = hosts.get(name);
      if (host === undefined) return;
      host.isDead = true;
      for (const [address, server] of servers) {
        if (server.host !== host) continue;
        server.isServing = false;
        servers.delete(address);
      }
      for (const wire of [...wires]) if (wire.from === name || wire.to === name) wire.cut('the process has gone');
    },
    calls: () => wires.size,
  };
}

/** Out of the way of ports that people choose. */
const FIRST_PORT = 50_001;

const pairOf = (one: string, other: string): string => [one, other].sort().join(' ');

const NO_LINE: CallerLine = { send: () => {}, take: () => {}, giveUp: () => {}, peer: 'unknown' };

function methodsOf({ services }: GrpcServerOptions): ReadonlyMap<string, ServedMethod> {
  const methods = new Map<string, ServedMethod>();
  for (const { definition, implementation } of services) {
    for (const [name, method] of Object.entries(readableService(definition))) {
      const handle = implementation[name];
      if (handle === undefined) continue;
      if (method.requestStream && !method.responseStream)
        throw new Error(`${method.path} streams requests to one response; allowed: unary, server-streaming and bidi`);
      methods.set(method.path, { definition: method, handle });
    }
  }
  return methods;
}

/** A channel that is never used: the interceptor answers before it. */
const channelTo = (target: string): ChannelInterface => ({
  close: () => {},
  getTarget: () => target,
  getConnectivityState: () => connectivityState.READY,
  watchConnectivityState: () => {},
  // Its type names an enum that is not exported.
  getChannelzRef: () => ({ kind: 'channel', id: 0, name: target }) as never,
  createCall: () => {
    throw new Error(`a call to ${target} went past the in-memory network`);
  },
});
