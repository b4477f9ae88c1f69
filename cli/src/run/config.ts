import {
  type ChannelOptions,
  channelOf,
  type Environment,
  GRPC_TARGET_ALLOWED,
  grpcTarget,
  orchestratorRules,
  orchestratorSettings,
  readConfig,
} from '@flexlora/runtime';
import { UsageError } from '../start/options.ts';

/**
 * Where the platform is: `--server`, else FLEXLORA_ORCHESTRATOR; TLS by the usual variables.
 *
 * @throws {UsageError | ConfigError}
 */
export function readServer(server: string | null, env: Environment = process.env): ChannelOptions {
  const { env: variable } = orchestratorSettings.orchestrator;
  if (server === null && (env[variable] ?? '') === '')
    throw new UsageError(`--server is missing, and ${variable} is not set; allowed: ${GRPC_TARGET_ALLOWED}`);
  if (server !== null && !grpcTarget.safeParse(server).success)
    throw new UsageError(`--server is ${JSON.stringify(server)}; allowed: ${GRPC_TARGET_ALLOWED}`);
  const given = server === null ? env : { ...env, [variable]: server };
  return channelOf(readConfig(orchestratorSettings, given, orchestratorRules));
}
