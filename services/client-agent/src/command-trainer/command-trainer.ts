import type { Clock, Logger } from '@flexlora/runtime';
import { type Trainer, type TrainerCallOptions, TrainerError, type TrainerReady } from '../trainer.ts';
import { type Answer, type AnswerKind, exchange, type TrainerLife } from './exchange.ts';
import { REQUESTS_WAITING_MAX, TRAINER_LIMITS, type TrainerLimits } from './limits.ts';
import { evaluateMessage, helloMessage, probeMessage, type RequestMessage, trainMessage } from './request-message.ts';
import { startTrainerProcess } from './trainer-process.ts';

export interface CommandTrainerOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** The whole environment of the process; the agent's own when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits?: Partial<TrainerLimits>;
}

/**
 * Speaks the trainer protocol (docs/reference/trainer-protocol.md) with a child process that lives as long as it behaves.
 *
 * | the process                                     | the request under way fails with | then                          |
 * |-------------------------------------------------|----------------------------------|-------------------------------|
 * | answers `error`                                 | its code                         | it goes on                    |
 * | dies, or writes a line above the limit          | `exited`                         | the next request starts it    |
 * | is silent for longer than allowed               | `stalled`, and it is killed      | the next request starts it    |
 * | answers with fields that are wrong              | `internal`, and it is killed     | the next request starts it    |
 * | prints something else                           | –, it is logged                  | it goes on, up to a bound     |
 * | was told to cancel                              | `cancelled`                      | it goes on; killed when late  |
 */
export function createCommandTrainer(options: CommandTrainerOptions): Trainer {
  const limits: TrainerLimits = { ...TRAINER_LIMITS, ...options.limits };
  const deps = { clock: options.clock, logger: options.logger };
  let current: { readonly life: TrainerLife; readonly ready: TrainerReady } | null = null;
  let starting: TrainerLife | null = null;
  let requests = 0;
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;

  /** One request at a time, in the order in which they came. */
  function inTurn<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    if (closed) return Promise.reject(closedError());
    if (waiting >= REQUESTS_WAITING_MAX) {
      const message = `${waiting} requests wait for the trainer; allowed: ${REQUESTS_WAITING_MAX}: wait for one of them`;
      return Promise.reject(new TrainerError('bad_request', message));
    }
    waiting += 1;
    const turn = last.then(() => {
      waiting -= 1;
      if (closed) throw closedError();
      if (signal?.aborted) throw new TrainerError('cancelled', 'cancelled before it began');
      return work();
    });
    last = turn.catch(() => {});
    return turn;
  }

  function ask<Kind extends AnswerKind>(
    life: TrainerLife,
    message: RequestMessage,
    answer: Kind,
    silenceMs: number,
    call: TrainerCallOptions,
  ): Promise<Answer<Kind>> {
    requests += 1;
    return exchange(life, message, answer, { ...call, id: `r${requests}`, silenceMs, cancelMs: limits.cancelMs }, deps);
  }

  async function theLife(): Promise<{ readonly life: TrainerLife; readonly ready: TrainerReady }> {
    if (current?.life.process.isAlive()) return current;
    // Two base models do not fit where one does: the old process is gone before the new one starts.
    await starting?.process.ended;
    current = null;
    const life = startLife();
    starting = life;
    try {
      const ready = await ask(life, helloMessage(), 'ready', limits.helloMs, {});
      deps.logger.info({ trainer: ready.trainer, version: ready.version }, 'the trainer is ready');
      current = { life, ready };
      return current;
    } catch (error) {
      life.process.kill('the trainer did not say hello and was stopped');
      throw error;
    }
  }

  function startLife(): TrainerLife {
    const onEvent: Parameters<typeof startTrainerProcess>[0]['onEvent'] = (event) => life.listener?.(event);
    const life: TrainerLife = { process: startTrainerProcess({ ...options, limits, onEvent }, deps), listener: null };
    return life;
  }

  const request = <Kind extends AnswerKind>(
    message: RequestMessage,
    answer: Kind,
    silenceMs: number,
    call: TrainerCallOptions = {},
  ): Promise<Answer<Kind>> =>
    inTurn(call.signal, async () => ask((await theLife()).life, message, answer, silenceMs, call));

  return {
    hello: () => inTurn(undefined, async () => (await theLife()).ready),
    probe: ({ ranks }, call) => request(probeMessage(ranks), 'probed', limits.probeMs, call),
    train: (train, call) => request(trainMessage(train), 'trained', limits.silenceMs, call),
    evaluate: (evaluate, call) => request(evaluateMessage(evaluate), 'evaluated', limits.silenceMs, call),
    close: async () => {
      closed = true;
      await starting?.process.close();
      await last;
    },
  };
}

const closedError = (): TrainerError => new TrainerError('cancelled', 'the trainer is closed');
