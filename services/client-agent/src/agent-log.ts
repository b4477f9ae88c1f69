import type { Clock, Logger } from '@flexlora/runtime';
import type { AgentEvent, Tell } from './agent-event.ts';
import { TRANSFER_TOLD_MS } from './limits.ts';

/**
 * Writes what an agent tells to its log. Progress within a stage is for debugging, but that of a transfer that takes long is told now and
 * then; what is wrong is a warning.
 */
export function createAgentLog(logger: Logger, clock: Pick<Clock, 'nowMs'>): Tell {
  /** Of the transfer under way: when it began, or was told last; null when there is none. */
  let toldAtMs: number | null = null;

  const isDue = ({ kind }: AgentEvent): boolean => {
    if (kind === 'retrying') return false;
    if (kind !== 'downloading' && kind !== 'uploading') {
      toldAtMs = null;
      return false;
    }
    const nowMs = clock.nowMs();
    const isDueNow = toldAtMs !== null && nowMs - toldAtMs >= TRANSFER_TOLD_MS;
    if (toldAtMs === null || isDueNow) toldAtMs = nowMs;
    return isDueNow;
  };

  return (event) => {
    const { kind, ...fields } = event;
    logger[isDue(event) ? 'info' : LEVELS[kind]](fields, kind);
  };
}

const LEVELS: Readonly<Record<AgentEvent['kind'], 'debug' | 'info' | 'warn'>> = {
  enrolled: 'info',
  waiting: 'debug',
  assigned: 'info',
  downloading: 'debug',
  training: 'debug',
  trained: 'info',
  quantised: 'info',
  uploading: 'debug',
  accepted: 'info',
  refused: 'warn',
  failed: 'warn',
  declined: 'warn',
  retrying: 'warn',
  ended: 'info',
};
