import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Settings } from '@flexlora/runtime';
import * as aggregator from '../../../services/aggregator/src/config.ts';
import * as clientAgent from '../../../services/client-agent/src/config.ts';
import * as orchestrator from '../../../services/orchestrator/src/config.ts';
import type { MinioServer } from '../../harness/containers/minio-server.ts';
import { agentEnvironment, aggregatorEnvironment, orchestratorEnvironment } from './environments.ts';

const minio = { bucket: 'bucket', region: 'region', accessKeyId: 'key', secretAccessKey: 'secret' } as MinioServer;
const target = 'ipv4:127.0.0.1:1,127.0.0.1:2';

function assertKnown(env: Readonly<Record<string, string>>, settings: Settings): void {
  const known = Object.values(settings).map(({ env: name }) => name);
  assert.deepEqual(
    Object.keys(env).filter((name) => !known.includes(name)),
    [],
    'these would be ignored',
  );
}

test('every process understands all that it is given', () => {
  const forOrchestrator = orchestratorEnvironment({ minio, redisPort: 1, storePort: 2, grpcPort: 3, statusPort: 4 });
  assertKnown(forOrchestrator, orchestrator.settings);
  const config = orchestrator.readOrchestratorConfig(forOrchestrator);
  assert.deepEqual([config.redisUrl, config.grpcPort, config.statusPort], ['redis://127.0.0.1:1', 3, 4]);

  const forAggregator = aggregatorEnvironment({ aggregatorId: 'a-1', target, minio, storePort: 2, statusPort: 4 });
  assertKnown(forAggregator, aggregator.settings);
  assert.equal(aggregator.readAggregatorConfig(forAggregator).orchestrator, target);

  const forAgent = agentEnvironment({
    runId: 'run',
    agentId: 'agent-1',
    control: target,
    transfer: 'ipv4:127.0.0.1:3',
    workDirectory: '/work directory',
    memoryBytesMax: 1_000,
    trainer: { samples: 1, milliseconds: 1, journal: 'journal', roundsFile: 'rounds' },
    trainerPidFile: '/work directory/pid',
    statusPort: 4,
  });
  assertKnown(forAgent, clientAgent.settings);
  const agent = clientAgent.readClientAgentConfig(forAgent);
  assert.deepEqual([agent.orchestrator, agent.transfer], [target, 'ipv4:127.0.0.1:3']);
  assert.equal(agent.trainerCommand.at(-1), '/work directory/pid');
});
