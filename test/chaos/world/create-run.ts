import { setTimeout as sleep } from 'node:timers/promises';
import { RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { callUnary, connectClient, failureOf } from '@flexlora/runtime';
import type { Door } from './fleet.ts';

const TRIES_MAX = 100;
const WAIT_MS = 200;
const CALL_MS_MAX = 10_000;

/** Creates the run as soon as an orchestrator answers. */
export async function createRun(spec: RunSpec, doors: readonly Door[], signal: AbortSignal): Promise<void> {
  const target = `ipv4:${doors.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  const client = connectClient(RunServiceClient, { target, tls: null });
  try {
    for (let tries = 1; ; tries += 1) {
      try {
        await callUnary(client, client.createRun, { spec }, { deadlineMs: CALL_MS_MAX, signal });
        return;
      } catch (error) {
        signal.throwIfAborted();
        const failure = failureOf(error);
        if (tries === TRIES_MAX || failure.kind !== 'unavailable')
          throw new Error(`the run could not be created: ${failure.message}`, { cause: error });
        await sleep(WAIT_MS);
      }
    }
  } finally {
    client.close();
  }
}
