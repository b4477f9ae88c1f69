import { type FaultProxy, openFaultProxy } from '../../harness/proxy/fault-proxy.ts';
import type { LinkTarget } from '../plan/fault-catalogue.ts';

/** What a link is for: an agent's control calls and its bytes have connections of their own. */
export type LinkKind = LinkTarget | 'agentTransferLink';

export interface Link {
  readonly kind: LinkKind;
  readonly from: string;
  readonly to: string;
  readonly proxy: FaultProxy;
}

/** Every link between two processes has a proxy of its own. */
export interface Links {
  open(kind: LinkKind, from: string, to: string, port: number): Promise<Link>;
  /** Of a process, of one kind. */
  of(from: string, ...kinds: readonly LinkKind[]): readonly Link[];
  /** As a target of gRPC: every server that a process reaches over links of this kind. */
  target(from: string, kind: LinkKind): string;
  /** The port that stands for the only server of this kind. */
  port(from: string, kind: LinkKind): number;
  close(): Promise<void>;
}

export function createLinks(): Links {
  const links: Link[] = [];
  const of = (from: string, ...kinds: readonly LinkKind[]): readonly Link[] =>
    links.filter((link) => link.from === from && kinds.includes(link.kind));
  return {
    async open(kind, from, to, port) {
      const link = { kind, from, to, proxy: await openFaultProxy(port) };
      links.push(link);
      return link;
    },
    of,
    // grpc-js' ipv4 resolver takes a list of addresses, spreads calls over them, and leaves out who is away.
    target: (from, kind) =>
      `ipv4:${of(from, kind)
        .map(({ proxy }) => `127.0.0.1:${proxy.port}`)
        .join(',')}`,
    port: (from, kind) => {
      const [only, ...others] = of(from, kind);
      if (only === undefined || others.length > 0) throw new Error(`${from} has not one link ${kind}`);
      return only.proxy.port;
    },
    close: async () => {
      await Promise.all(links.map(({ proxy }) => proxy.close()));
    },
  };
}
