import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type S3Options, type Settings, s3OptionsOf } from '@flexlora/runtime';
import * as aggregator from '../../../services/aggregator/src/config.ts';
import * as clientAgent from '../../../services/client-agent/src/config.ts';
import * as orchestrator from '../../../services/orchestrator/src/config.ts';
import { PARTICIPANTS } from '../federation/participants.ts';
import { agentEnvironment, aggregatorEnvironment, orchestratorEnvironment } from './service-environments.ts';

const s3: S3Options = {
  bucket: 'b',
  region: 'r',
  endpoint: 'http://127.0.0.1:9000',
  forcePathStyle: true,
  credentials: { accessKeyId: 'k', secretAccessKey: 's', sessionToken: 't' },
};
const stores = { redisUrl: 'redis://127.0.0.1:6379', s3 };
const target = 'ipv4:127.0.0.1:1,127.0.0.1:2';

function assertKnown(env: Readonly<Record<string, string>>, settings: Settings): void {
  const known = Object.values(settings).map(({ env: name }) => name);
  const unknown = Object.keys(env).filter((name) => !known.includes(name));
  assert.deepEqual(unknown, [], 'these would be ignored');
}

test('an orchestrator understands all that it is given', () => {
  const env = orchestratorEnvironment(stores, 7_001);
  assertKnown(env, orchestrator.settings);
  const config = orchestrator.readOrchestratorConfig(env);
  assert.deepEqual([config.listenHost, config.grpcPort, config.statusPort], ['127.0.0.1', 7_001, 0]);
  assert.equal(config.redisUrl, stores.redisUrl);
  assert.deepEqual(s3OptionsOf(config), s3);
});

test('an aggregator understands all that it is given', () => {
  const env = aggregatorEnvironment(stores, { aggregatorId: 'aggregator-1', target });
  assertKnown(env, aggregator.settings);
  const config = aggregator.readAggregatorConfig(env);
  assert.deepEqual([config.aggregatorId, config.orchestrator, config.statusPort], ['aggregator-1', target, 0]);
  assert.deepEqual(s3OptionsOf(config), s3);
});

test('every agent understands all that it is given', () => {
  const own = { runId: 'run', target, trainer: ['/with space/node', 'main.ts'], workDirectory: '/work' };
  assert.ok(PARTICIPANTS.length > 0);
  for (const participant of PARTICIPANTS) {
    const env = agentEnvironment(participant, own);
    assertKnown(env, clientAgent.settings);
    const config = clientAgent.readClientAgentConfig(env);
    assert.equal(config.agentId, participant.agentId);
    assert.equal(config.memoryBytesMax, participant.memoryBytesMax);
    assert.deepEqual(config.trainerCommand, own.trainer);
    assert.deepEqual(config.trainerData['languages'], [participant.language]);
    assert.equal(config.statusPort, 0);
  }
});
