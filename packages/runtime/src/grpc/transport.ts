import type { Logger } from '../logger.ts';
import { type ChannelOptions, type ClientConstructor, connectClient } from './client.ts';
import { createGrpcServer, type GrpcServerDoor, type GrpcServerOptions } from './server.ts';

/** How calls reach a server: over sockets, or within one process. Whoever serves or calls takes it as a port. */
export interface Transport {
  /** @throws when the address is taken. */
  serve(options: GrpcServerOptions, deps: { readonly logger: Logger }): Promise<GrpcServerDoor>;
  /** A client of a generated service. Its calls fail as `unavailable` while nobody is reached; they are made again by the caller. */
  connect<Client>(Constructor: ClientConstructor<Client>, options: ChannelOptions): Client;
}

/** gRPC over HTTP/2. */
export const grpcTransport: Transport = { serve: createGrpcServer, connect: connectClient };
