import type { Logger } from '@flexlora/runtime';
import type { AgentEvent } from './agent-event.ts';

/** Writes what an agent tells to its log. Progress within a stage is for debugging; what is wrong is a warning. */
export function logAgentEvent(logger: Logger, event: AgentEvent): void {
  const { kind, ...fields } = event;
  logger[LEVELS[kind]](fields, kind);
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
