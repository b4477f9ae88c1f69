import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export type TrainerEvent = Readonly<{ id: string | null; kind: string } & Record<string, unknown>>;

/** The longest that anything here waits for a trainer: what the protocol grants to `hello`. */
const ANSWER_MS_MAX = 300_000;

/** A trainer as a child process, and what it says. */
export interface TrainerProcess {
  /** Sends a request under a new id and gives the id. */
  send(kind: string, fields?: object): string;
  /** Sends a line as it is. */
  sendLine(line: string): void;
  /** The next event that is not `progress`. Fails when the process ends or is silent for too long. */
  nextAnswer(): Promise<TrainerEvent>;
  /** The next event of any kind. */
  nextEvent(): Promise<TrainerEvent>;
  ask(kind: string, fields?: object): Promise<TrainerEvent>;
  endInput(): void;
  /** The exit status, within the time that the protocol grants. */
  exited(): Promise<number | null>;
  kill(): void;
}

export function startTrainer(command: readonly string[]): TrainerProcess {
  const [program, ...args] = command;
  if (program === undefined) throw new Error('no command was given: name the program that is the trainer');
  const child: ChildProcessWithoutNullStreams = spawn(program, args);
  const errors: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  // A trainer that is gone is noticed by the missing answer; writing to it must not end the tests.
  child.stdin.on('error', () => {});
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>;
  exit.catch(() => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let nextId = 1;

  const within = async <T>(milliseconds: number, what: string, work: Promise<T>): Promise<T> => {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () =>
        reject(new Error(`no ${what} within ${milliseconds} ms; its standard error: ${errors.join('').slice(-2_000)}`)),
      milliseconds,
    );
    try {
      return await Promise.race([work, promise]);
    } finally {
      clearTimeout(timer);
    }
  };
  const nextEvent = async (): Promise<TrainerEvent> => {
    const { done, value } = await within(ANSWER_MS_MAX, 'event', lines.next());
    if (done === true) throw new Error(`the trainer ended; its standard error: ${errors.join('').slice(-2_000)}`);
    return JSON.parse(value) as TrainerEvent;
  };
  const nextAnswer = async (): Promise<TrainerEvent> => {
    for (;;) {
      const event = await nextEvent();
      if (event.kind !== 'progress') return event;
    }
  };
  const send = (kind: string, fields: object = {}): string => {
    const id = `r${nextId++}`;
    child.stdin.write(`${JSON.stringify({ id, kind, ...fields })}\n`);
    return id;
  };
  return {
    send,
    sendLine: (line) => void child.stdin.write(`${line}\n`),
    nextAnswer,
    nextEvent,
    ask(kind, fields) {
      send(kind, fields);
      return nextAnswer();
    },
    endInput: () => void child.stdin.end(),
    exited: async () => (await within(10_000, 'exit', exit))[0],
    kill: () => void child.kill('SIGKILL'),
  };
}
