import { TransferServiceService } from '@flexlora/contracts/transfer/v1/transfer_service';
import { createGrpcServer, type GrpcServiceBinding, silentLogger } from '@flexlora/runtime';
import { Server, ServerCredentials, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { ServerOrder } from './transfer-case.ts';

/** A server of grpc-js and ts-proto as they come. @returns its port. */
export function serveAsItComes(methods: unknown, tls: ServerOrder['tls']): Promise<number> {
  const server = new Server();
  server.addService(TransferServiceService, methods as UntypedServiceImplementation);
  const credentials =
    tls === null
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(null, [
          { cert_chain: Buffer.from(tls.certificate), private_key: Buffer.from(tls.key) },
        ]);
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
}

/** The platform's server. @returns its port. */
export async function serveAsThePlatform(service: GrpcServiceBinding, tls: ServerOrder['tls']): Promise<number> {
  const options = { host: '127.0.0.1', port: 0, services: [service], reflection: null };
  const server = await createGrpcServer(
    { ...options, tls: tls === null ? null : { ...tls, clientCa: null } },
    { logger: silentLogger },
  );
  return server.port;
}
