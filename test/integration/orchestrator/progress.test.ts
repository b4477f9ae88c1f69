import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type ReportProgressRequest, Stage } from '@flexlora/contracts/agent/v1/agent_service';
import { type CohortMember, MemberState } from '@flexlora/contracts/run/v1/run_service';
import { callUnary } from '@flexlora/runtime';
import { awaitAssignment, enrol } from './fake-agent.ts';
import { work } from './fake-aggregator.ts';
import { createRig, toySpec } from './rig.ts';
import { refusedFor } from './workplace.ts';

const rig = createRig();
after(() => rig.close());
const deadline = { deadlineMs: 60_000 };

test('what an agent tells of its transfer is shown with the time left, and refused where it cannot be', async () => {
  const station = await rig.start();
  const stop = new AbortController();
  const working = work(station, rig.objectStore, 'aggregator', stop.signal);
  const spec = toySpec();
  await callUnary(station.runs, station.runs.createRun, { spec }, deadline);
  for (const agentId of ['a', 'b', 'c']) await enrol(station, spec, agentId);
  const [assignment] = await Promise.all(['a', 'b'].map((id) => awaitAssignment(station, spec.runId, id)));
  const report = (change: Partial<ReportProgressRequest>) => {
    const which = { runId: spec.runId, agentId: 'a', round: assignment!.round, handout: assignment!.handout };
    const request = { ...which, stage: Stage.UPLOADING, fraction: 0.25, ...change };
    return callUnary(station.agents, station.agents.reportProgress, request, deadline);
  };
  const shown = async (): Promise<CohortMember> => {
    const { run } = await callUnary(
      station.runs,
      station.runs.getRun,
      { runId: spec.runId, withoutCohort: false },
      deadline,
    );
    return run!.cohort.find(({ agentId }) => agentId === 'a')!;
  };

  await report({ bytesDone: 50, bytesTotal: 200, bytesPerSecond: 10 });
  const member = await shown();
  assert.deepEqual(
    [member.state, member.fraction, member.bytesDone, member.bytesTotal, member.bytesPerSecond, member.secondsLeft],
    [MemberState.UPLOADING, 0.25, 50, 200, 10, 15],
  );
  const page = { runId: spec.runId, pageSize: 0, pageToken: '' };
  const { agents } = await callUnary(station.runs, station.runs.listAgents, page, deadline);
  assert.deepEqual(
    agents.map(({ agentId, part }) => [agentId, part?.state, part?.secondsLeft]),
    [
      ['a', MemberState.UPLOADING, 15],
      ['b', MemberState.ASSIGNED, undefined],
      ['c', undefined, undefined],
    ],
  );

  await assert.rejects(report({ bytesDone: 201, bytesTotal: 200 }), refusedFor('badNumber', /bytes_done is 201/));
  await assert.rejects(
    report({ bytesDone: 1, bytesTotal: 200, bytesPerSecond: Number.NaN }),
    refusedFor('badNumber', /bytes_per_second is NaN/),
  );
  await assert.rejects(report({ fraction: Number.NaN }), refusedFor('badNumber', /fraction is NaN/));
  assert.deepEqual(await shown(), member, 'a refusal changes nothing');

  // As an agent of before reports.
  await report({ stage: Stage.DOWNLOADING, fraction: 0.5 });
  const older = await shown();
  assert.deepEqual([older.state, older.fraction, older.bytesTotal], [MemberState.DOWNLOADING, 0.5, undefined]);
  stop.abort();
  await working;
});
