import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentServiceService, Stage } from './gen/flexlora/agent/v1/agent_service.ts';
import { AdapterChunk } from './gen/flexlora/transfer/v1/transfer_service.ts';

test('generated code runs as it stands, with services, enums and bytes', () => {
  assert.equal(AgentServiceService.enrol.path, '/flexlora.agent.v1.AgentService/Enrol');
  assert.equal(Stage.UPLOADING, 3);
  const chunk = AdapterChunk.fromPartial({ offset: 2 ** 40, data: Buffer.from([1, 2, 3]) });
  assert.deepEqual(AdapterChunk.decode(AdapterChunk.encode(chunk).finish()), chunk);
});
