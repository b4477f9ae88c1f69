import assert from 'node:assert/strict';
import type { Assignment } from '@flexlora/contracts/agent/v1/agent_service';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import type {
  CommitUploadResponse,
  UploadUpdateRequest,
  UploadUpdateResponse,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import { callUnary, crc32c } from '@flexlora/runtime';
import type { Station } from './rig.ts';
import { sha256 } from './update-file.ts';

const deadline = { deadlineMs: 60_000 };
const CHUNK_BYTES = 256 << 10;

/** Names one upload in every call. */
export interface OpenUpload {
  readonly runId: string;
  readonly round: number;
  readonly agentId: string;
  readonly uploadId: string;
}

/** `memoryBytesMax` decides the rank: a step costs 100 bytes and 100 more a rank. */
export async function enrol(
  station: Station,
  spec: RunSpec,
  agentId: string,
  memoryBytesMax = 1_000_000,
): Promise<void> {
  const profile = {
    memoryBytesMax,
    measurements: [
      { rank: 1, memoryBytes: 200, stepSeconds: 0.001 },
      { rank: 4, memoryBytes: 500, stepSeconds: 0.001 },
    ],
    uplinkBytesPerSecond: 1e9,
    samples: 10,
  };
  const request = { runId: spec.runId, agentId, profile, baseModelDigest: spec.baseModelDigest };
  await callUnary(station.agents, station.agents.enrol, request, deadline);
}

export async function awaitAssignment(station: Station, runId: string, agentId: string): Promise<Assignment> {
  for (;;) {
    const request = { runId, agentId, waitMsMax: 30_000 };
    const { answer } = await callUnary(station.agents, station.agents.awaitAssignment, request, deadline);
    if (answer?.$case === 'assignment') return answer.value;
    assert.equal(answer?.$case, 'comeBack', 'the run ended');
  }
}

export async function openUpload(
  station: Station,
  agent: { readonly runId: string; readonly round: number; readonly agentId: string },
  file: Buffer,
  digest: string = sha256(file),
): Promise<OpenUpload> {
  const request = { ...agent, bytes: file.byteLength, sha256: digest, samples: 10, loss: 0.5 };
  const { uploadId } = await callUnary(station.transfer, station.transfer.openUpload, request, deadline);
  return { ...agent, uploadId };
}

/** Sends the file from an offset to `end`; returns the durable offsets that came back. */
export async function sendBytes(
  station: Station,
  upload: OpenUpload,
  file: Buffer,
  offset = 0,
  end: number = file.byteLength,
): Promise<number[]> {
  const answers = await sendMessages(station, messagesOf(upload, file, offset, end));
  return answers.map(({ durableOffset }) => durableOffset);
}

/** Sends all of it and has it committed with its last byte. */
export const sendToCommit = (station: Station, upload: OpenUpload, file: Buffer): Promise<UploadUpdateResponse[]> =>
  sendMessages(station, messagesOf(upload, file, 0, file.byteLength, true));

export function messagesOf(
  upload: OpenUpload,
  file: Buffer,
  offset: number,
  end: number,
  commit = false,
): UploadUpdateRequest[] {
  const messages: UploadUpdateRequest[] = [{ body: { $case: 'start', value: { ...upload, offset, commit } } }];
  for (let at = offset; at < end; at += CHUNK_BYTES) {
    const data = file.subarray(at, Math.min(at + CHUNK_BYTES, end));
    messages.push({ body: { $case: 'chunk', value: { offset: at, data, crc32c: crc32c(data) } } });
  }
  return messages;
}

export async function sendMessages(
  station: Station,
  messages: readonly UploadUpdateRequest[],
): Promise<UploadUpdateResponse[]> {
  const stream = station.transfer.uploadUpdate();
  for (const message of messages) stream.write(message);
  stream.end();
  const answers: UploadUpdateResponse[] = [];
  for await (const answer of stream as AsyncIterable<UploadUpdateResponse>) answers.push(answer);
  return answers;
}

export const commitUpload = (station: Station, upload: OpenUpload): Promise<CommitUploadResponse> =>
  callUnary(station.transfer, station.transfer.commitUpload, upload, deadline);

/** Everything that an agent does with a finished update. */
export async function upload(
  station: Station,
  agent: { readonly runId: string; readonly round: number; readonly agentId: string },
  file: Buffer,
): Promise<CommitUploadResponse> {
  const opened = await openUpload(station, agent, file);
  await sendBytes(station, opened, file);
  return commitUpload(station, opened);
}
