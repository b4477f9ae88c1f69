import { secondsLeft } from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { AgentEvent } from './agent-event.ts';
import { createTransferRate, type TransferRate } from './transfer-rate.ts';

/** The metrics of an agent, made of what it tells. Labels are closed sets: never a round, never an id. */
export function createAgentMetrics(registry: Registry, clock: Pick<Clock, 'nowMs'>): (event: AgentEvent) => void {
  const followTransfer = createTransferMetrics(registry, clock);
  const registers = [registry];
  const assignments = new Counter({
    name: 'flexlora_agent_assignments_total',
    help: 'Assignments by how they ended.',
    labelNames: ['outcome'],
    registers,
  });
  const retries = new Counter({
    name: 'flexlora_agent_retries_total',
    help: 'Calls and trainings that were tried again, by what was tried.',
    labelNames: ['what'],
    registers,
  });
  const downloaded = new Counter({
    name: 'flexlora_agent_downloaded_bytes_total',
    help: 'Bytes of adapters that came and were not on disk before.',
    registers,
  });
  const uploaded = new Counter({
    name: 'flexlora_agent_uploaded_bytes_total',
    help: 'Bytes of updates that became durable at the server.',
    registers,
  });
  const seconds = new Histogram({
    name: 'flexlora_agent_training_seconds',
    help: 'Time of one training, as the trainer tells it.',
    buckets: [1, 10, 60, 300, 1_800, 7_200, 43_200],
    registers,
  });
  const loss = new Gauge({
    name: 'flexlora_agent_training_loss',
    help: 'Training loss of the last step, in nats per token.',
    registers,
  });
  const updateError = new Histogram({
    name: 'flexlora_agent_update_relative_error',
    help: 'What int8 changed of one update: the norm of the difference of the products over that of the products.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5],
    registers,
  });
  const rank = new Gauge({ name: 'flexlora_agent_rank', help: 'The largest rank of the last assignment.', registers });

  /** A transfer tells where it stands; where it began again, nothing is counted twice. */
  const countProgress = (counter: Counter): ((round: number, bytes: number) => void) => {
    let last: { readonly round: number; readonly bytes: number } | null = null;
    return (round, bytes) => {
      const before = last?.round === round ? last.bytes : bytes;
      if (bytes > before) counter.inc(bytes - before);
      last = { round, bytes: Math.max(before, bytes) };
    };
  };
  const countDownloaded = countProgress(downloaded);
  const countUploaded = countProgress(uploaded);

  return (event) => {
    followTransfer(event);
    switch (event.kind) {
      case 'assigned':
        rank.set(event.rank);
        break;
      case 'downloading':
        countDownloaded(event.round, event.bytes);
        break;
      case 'uploading':
        countUploaded(event.round, event.bytes);
        break;
      case 'training':
        if (event.loss !== null) loss.set(event.loss);
        break;
      case 'trained':
        seconds.observe(event.seconds);
        loss.set(event.loss);
        break;
      case 'quantised':
        updateError.observe(event.relativeError);
        break;
      case 'accepted':
      case 'failed':
      case 'declined':
        assignments.inc({ outcome: event.kind });
        break;
      case 'refused':
        if (event.round !== null) assignments.inc({ outcome: event.kind });
        break;
      case 'retrying':
        retries.inc({ what: event.what.replaceAll(' ', '_') });
        break;
      case 'enrolled':
      case 'waiting':
      case 'ended':
        break;
    }
  };
}

interface Transfer {
  readonly direction: 'download' | 'upload';
  readonly round: number;
  readonly bytes: number;
  readonly total: number;
  readonly rate: TransferRate;
}

/**
 * The transfer under way, as it is when Prometheus asks: one that fell silent tells of nothing, and its rate is 0 all the same. There is
 * no sample while there is no transfer, or while its rate is not known.
 */
function createTransferMetrics(registry: Registry, clock: Pick<Clock, 'nowMs'>): (event: AgentEvent) => void {
  let transfer: Transfer | null = null;

  const gauge = (name: string, help: string, read: (transfer: Transfer) => number | null): void => {
    const made = new Gauge({
      name,
      help,
      labelNames: ['direction'],
      registers: [registry],
      collect: () => {
        made.reset();
        const value = transfer === null ? null : read(transfer);
        if (transfer !== null && value !== null) made.set({ direction: transfer.direction }, value);
      },
    });
  };
  gauge('flexlora_agent_transfer_done_bytes', 'Bytes that are there, of the transfer under way.', ({ bytes }) => bytes);
  gauge('flexlora_agent_transfer_size_bytes', 'Bytes in all, of the transfer under way.', ({ total }) => total);
  gauge(
    'flexlora_agent_transfer_bytes_per_second',
    'Rate of the transfer under way, over its last seconds.',
    ({ rate }) => rate.bytesPerSecond(),
  );
  gauge('flexlora_agent_transfer_left_seconds', 'Time left of the transfer under way, at its rate.', (under) =>
    secondsLeft({ bytesDone: under.bytes, bytesTotal: under.total, bytesPerSecond: under.rate.bytesPerSecond() }),
  );

  return (event) => {
    if (event.kind === 'retrying') return;
    if (event.kind !== 'downloading' && event.kind !== 'uploading') {
      transfer = null;
      return;
    }
    const { round, bytes, total } = event;
    const direction = event.kind === 'downloading' ? 'download' : 'upload';
    const isSame = transfer?.round === round && transfer.direction === direction;
    const rate = transfer !== null && isSame ? transfer.rate : createTransferRate(clock);
    rate.note(bytes);
    transfer = { direction, round, bytes, total, rate };
  };
}
