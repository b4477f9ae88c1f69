import type { Clock, Logger } from '@flexlora/runtime';
import {
  SHOWN_CHARS_MAX,
  STDERR_LAST_LINES,
  STDERR_LINE_BYTES_MAX,
  STDERR_LINES_PER_WINDOW_MAX,
  STDERR_WINDOW_MS,
} from './limits.ts';
import { createLineSplitter } from './line-splitter.ts';

/** Passes a trainer's standard error on to the agent's log, bounded in length and rate. */
export interface StderrLog {
  push(chunk: Uint8Array): void;
  /** The last lines, for the message of a process that died; empty when there were none. */
  lastLines(): string;
}

export function createStderrLog(deps: { readonly clock: Clock; readonly logger: Logger }): StderrLog {
  let splitter = createLineSplitter(STDERR_LINE_BYTES_MAX);
  let last: readonly string[] = [];
  let windowEndsAtMs = 0;
  let shown = 0;
  let dropped = 0;

  const tell = (line: string): void => {
    last = [...last, line].slice(-STDERR_LAST_LINES);
    const nowMs = deps.clock.nowMs();
    if (nowMs >= windowEndsAtMs) {
      if (dropped > 0) deps.logger.warn({ dropped }, 'the trainer wrote more to standard error than is passed on');
      windowEndsAtMs = nowMs + STDERR_WINDOW_MS;
      shown = 0;
      dropped = 0;
    }
    if (shown < STDERR_LINES_PER_WINDOW_MAX) deps.logger.info({ line }, 'trainer');
    else dropped += 1;
    shown += 1;
  };

  return {
    push(chunk) {
      const lines = splitter.push(chunk);
      if (lines === 'tooLong') {
        splitter = createLineSplitter(STDERR_LINE_BYTES_MAX);
        tell(`(a line of more than ${STDERR_LINE_BYTES_MAX} bytes is left out)`);
      } else for (const line of lines) if (line.trim() !== '') tell(line.trimEnd());
    },
    lastLines: () => last.join(' | ').slice(-SHOWN_CHARS_MAX),
  };
}
