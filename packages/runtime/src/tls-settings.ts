import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigError, type ConfigOf, needs, type SettingRule, setting, together } from './config.ts';
import type { ChannelOptions } from './grpc/client.ts';
import type { GrpcServerOptions } from './grpc/server.ts';
import { GRPC_TARGET_ALLOWED, grpcTarget, optionalText } from './setting-schemas.ts';

/** How a process reaches the orchestrator. */
export const orchestratorSettings = {
  orchestrator: setting({
    env: 'FLEXLORA_ORCHESTRATOR',
    schema: grpcTarget,
    allowed: GRPC_TARGET_ALLOWED,
    example: 'dns:///orchestrator:7443',
    about: 'Where the control services are.',
  }),
  tls: setting({
    env: 'FLEXLORA_TLS',
    schema: z.enum(['on', 'off']).default('off'),
    allowed: 'on, off',
    example: 'on',
    about: 'Whether the orchestrator is reached by TLS.',
  }),
  tlsCaFile: setting({
    env: 'FLEXLORA_TLS_CA_FILE',
    schema: optionalText,
    allowed: 'a path of a PEM file, with FLEXLORA_TLS=on; without it the authorities that Node knows',
    example: '/etc/flexlora/tls/ca.crt',
    about: 'Authority of the certificate of the orchestrator.',
  }),
  tlsCertificateFile: setting({
    env: 'FLEXLORA_TLS_CERTIFICATE_FILE',
    schema: optionalText,
    allowed: 'a path of a PEM file, together with FLEXLORA_TLS_KEY_FILE and FLEXLORA_TLS=on',
    example: '/etc/flexlora/tls/tls.crt',
    about: 'Certificate that this process shows, where the orchestrator asks for one.',
  }),
  tlsKeyFile: setting({
    env: 'FLEXLORA_TLS_KEY_FILE',
    schema: optionalText,
    allowed: 'a path of a PEM file, together with FLEXLORA_TLS_CERTIFICATE_FILE',
    example: '/etc/flexlora/tls/tls.key',
    about: 'Key of the certificate.',
  }),
};

export const orchestratorRules: readonly SettingRule[] = [
  together(orchestratorSettings.tlsCertificateFile, orchestratorSettings.tlsKeyFile),
  needs(orchestratorSettings.tlsCaFile, orchestratorSettings.tls, 'on'),
  needs(orchestratorSettings.tlsCertificateFile, orchestratorSettings.tls, 'on'),
];

/**
 * The channel to a target, the orchestrator where none is named: reads the files of TLS.
 *
 * @throws {ConfigError} with every file that cannot be used.
 */
export function channelOf(
  config: ConfigOf<typeof orchestratorSettings>,
  target: string = config.orchestrator,
): ChannelOptions {
  if (config.tls === 'off') return { target, tls: null };
  const { tlsCaFile, tlsCertificateFile, tlsKeyFile } = orchestratorSettings;
  const [ca, certificate, key] = readPemFiles([
    [tlsCaFile, config.tlsCaFile],
    [tlsCertificateFile, config.tlsCertificateFile],
    [tlsKeyFile, config.tlsKeyFile],
  ]);
  return { target, tls: { ca, certificate, key } };
}

/** How a gRPC server shows who it is, and whom it serves. */
export const tlsServerSettings = {
  tlsCertificateFile: setting({
    env: 'FLEXLORA_TLS_CERTIFICATE_FILE',
    schema: optionalText,
    allowed: 'a path of a PEM file, together with FLEXLORA_TLS_KEY_FILE; without it gRPC speaks plain text',
    example: '/etc/flexlora/tls/tls.crt',
    about: 'Certificate of the gRPC server.',
  }),
  tlsKeyFile: setting({
    env: 'FLEXLORA_TLS_KEY_FILE',
    schema: optionalText,
    allowed: 'a path of a PEM file, together with FLEXLORA_TLS_CERTIFICATE_FILE',
    example: '/etc/flexlora/tls/tls.key',
    about: 'Key of the certificate.',
  }),
  tlsClientCaFile: setting({
    env: 'FLEXLORA_TLS_CLIENT_CA_FILE',
    schema: optionalText,
    allowed: 'a path of a PEM file, together with FLEXLORA_TLS_CERTIFICATE_FILE',
    example: '/etc/flexlora/tls/ca.crt',
    about: 'When set, only clients with a certificate of this authority are served.',
  }),
};

export const tlsServerRules: readonly SettingRule[] = [
  together(tlsServerSettings.tlsCertificateFile, tlsServerSettings.tlsKeyFile),
  needs(tlsServerSettings.tlsClientCaFile, tlsServerSettings.tlsCertificateFile),
];

/** Reads the files of a server's TLS; null speaks plain text. @throws {ConfigError} with every file that cannot be used. */
export function serverTlsOf(config: ConfigOf<typeof tlsServerSettings>): GrpcServerOptions['tls'] {
  const { tlsCertificateFile, tlsKeyFile, tlsClientCaFile } = tlsServerSettings;
  const [certificate, key, clientCa] = readPemFiles([
    [tlsCertificateFile, config.tlsCertificateFile],
    [tlsKeyFile, config.tlsKeyFile],
    [tlsClientCaFile, config.tlsClientCaFile],
  ]);
  return certificate === null || key === null ? null : { certificate, key, clientCa };
}

type Pem = string | null;
type PemFile = readonly [of: { readonly env: string }, path: string | null];

function readPemFiles(files: readonly [PemFile, PemFile, PemFile]): readonly [Pem, Pem, Pem] {
  const problems: string[] = [];
  const read = ([{ env }, path]: PemFile): Pem => {
    if (path === null) return null;
    const complain = (fault: string): null => {
      problems.push(
        `${env} is ${JSON.stringify(path)}: ${fault}; allowed: a path of a PEM file that this process may read`,
      );
      return null;
    };
    try {
      const content = readFileSync(path, 'utf8');
      return content.includes('-----BEGIN ') ? content : complain('the file has no line that begins with -----BEGIN');
    } catch (error) {
      return complain(error instanceof Error ? error.message : String(error));
    }
  };
  const [one, two, three] = files;
  const pems = [read(one), read(two), read(three)] as const;
  if (problems.length > 0) throw new ConfigError(problems);
  return pems;
}
