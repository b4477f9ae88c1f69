import type { Clock, Logger } from '@flexlora/runtime';
import { createIdleWatch } from '../idle-watch.ts';
import { type TrainerCallOptions, TrainerError } from '../trainer.ts';
import { GARBAGE_LINES_MAX, LINE_BYTES_MAX } from './limits.ts';
import type { RequestMessage } from './request-message.ts';
import type { TrainerEvent } from './trainer-event.ts';
import type { TrainerProcess } from './trainer-process.ts';

/** One life of the trainer, and who listens to it: the request under way. */
export interface TrainerLife {
  readonly process: TrainerProcess;
  listener: ((event: TrainerEvent) => void) | null;
}

export type AnswerKind = 'ready' | 'probed' | 'trained' | 'evaluated';
export type Answer<Kind extends AnswerKind> = Extract<TrainerEvent, { readonly kind: Kind }>['value'];

export interface ExchangeOptions extends TrainerCallOptions {
  readonly id: string;
  /** Longest time between two events. */
  readonly silenceMs: number;
  readonly cancelMs: number;
}

/** Sends one request and hears its events until the last one. Rejects with a {@link TrainerError}; however it ends, nobody listens any more. */
export async function exchange<Kind extends AnswerKind>(
  life: TrainerLife,
  message: RequestMessage,
  answer: Kind,
  options: ExchangeOptions,
  deps: { readonly clock: Clock; readonly logger: Logger },
): Promise<Answer<Kind>> {
  const { id, silenceMs, cancelMs, signal } = options;
  const { process } = life;
  const line = { id, ...message };
  const bytes = Buffer.byteLength(JSON.stringify(line));
  if (bytes > LINE_BYTES_MAX) {
    const limit = `${bytes} bytes; allowed: ${LINE_BYTES_MAX}: name files in its data instead of giving their content`;
    throw new TrainerError('bad_request', `the request ${message.kind} has ${limit}`);
  }

  const outcome = Promise.withResolvers<unknown>();
  const fail = (code: TrainerError['code'], text: string): void => outcome.reject(new TrainerError(code, text));
  const failAndKill = (code: TrainerError['code'], text: string): void => {
    fail(code, text);
    process.kill(text);
  };
  let garbageLines = 0;

  const silence = createIdleWatch(deps.clock, silenceMs, () =>
    failAndKill('stalled', `the trainer said nothing for ${silenceMs} ms during ${message.kind} and was stopped`),
  );
  let cancelling: { stop(): void } | null = null;
  const cancel = (): void => {
    process.send({ id: `${id}-cancel`, kind: 'cancel', target: id });
    cancelling = createIdleWatch(deps.clock, cancelMs, () =>
      failAndKill('cancelled', `the trainer did not cancel ${message.kind} within ${cancelMs} ms and was stopped`),
    );
  };

  const onGarbage = (text: string): void => {
    garbageLines += 1;
    deps.logger.warn({ text }, 'the trainer printed a line that is no event; standard output belongs to the protocol');
    if (garbageLines > GARBAGE_LINES_MAX) {
      const got = `${garbageLines} lines that are no events during ${message.kind}`;
      failAndKill('internal', `the trainer printed ${got}; allowed: ${GARBAGE_LINES_MAX}: print to standard error`);
    }
  };

  life.listener = (event) => {
    if (event.kind === 'garbage') return onGarbage(event.text);
    // Null answers a line that the trainer could not read, which can only be ours.
    const isOurs = event.id === id || event.id === null;
    if (!isOurs) return;
    silence.touch();
    if (event.kind === 'error') fail(event.value.code, event.value.message);
    else if (event.kind === 'progress') options.onProgress?.(event.value);
    else if (event.kind === answer) outcome.resolve(event.value);
    else {
      const got = event.kind === 'malformed' ? `wrong fields (${event.message})` : `the event ${event.kind}`;
      failAndKill(
        'internal',
        `the trainer answered ${message.kind} with ${got}; allowed: ${answer}: see the trainer protocol`,
      );
    }
  };
  void process.ended.then((how) => fail('exited', `${how} (during ${message.kind})`));

  try {
    process.send(line);
    signal?.addEventListener('abort', cancel, { once: true });
    if (signal?.aborted) cancel();
    return (await outcome.promise) as Answer<Kind>;
  } finally {
    signal?.removeEventListener('abort', cancel);
    silence.stop();
    (cancelling as { stop(): void } | null)?.stop();
    life.listener = null;
  }
}
