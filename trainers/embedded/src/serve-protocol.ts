import type { Readable, Writable } from 'node:stream';
import { snakeCase } from './check-request.ts';
import { ID_CHARS_MAX } from './limits.ts';
import { splitLines } from './protocol-lines.ts';
import type { EvaluateRequest, ProbeRequest, Trainer, TrainerCallOptions, TrainRequest } from './trainer.ts';
import { TrainerError, toTrainerError } from './trainer-error.ts';

const PROTOCOL = 1;
/** Requests that wait behind the one in work; the agent sends one at a time. */
const WAITING_MAX = 64;

const SCALINGS = new Map([
  ['alpha_over_rank', 'alphaOverRank'],
  ['alpha_over_sqrt_rank', 'alphaOverSqrtRank'],
  ['constant', 'constant'],
]);

type Fields = Readonly<Record<string, unknown>>;

/**
 * Speaks version 1 of the trainer protocol for a trainer, until `shutdown` or the end of the input; what is then in work is cancelled. Requests
 * are answered one after the other; `cancel` and `shutdown` act at once.
 */
export async function serveProtocol(trainer: Trainer, input: Readable, output: Writable): Promise<void> {
  const open = new Map<string, AbortController>();
  let last: Promise<void> = Promise.resolve();

  const emit = (id: string | null, kind: string, fields: object): void =>
    void output.write(`${JSON.stringify({ id, kind, ...fields })}\n`);
  const fail = (id: string | null, cause: unknown): void => {
    const { code, message, peakBytes } = toTrainerError(cause);
    emit(id, 'error', { code, message, ...(peakBytes === null ? {} : { peak_bytes: peakBytes }) });
  };

  const work = (id: string, fields: Fields): void => {
    if (open.has(id) || open.size > WAITING_MAX) {
      const message = open.has(id)
        ? `id ${id} is in use: choose another`
        : `${open.size} requests wait: send fewer at a time`;
      fail(id, new TrainerError('bad_request', message));
      return;
    }
    const controller = new AbortController();
    open.set(id, controller);
    const options: TrainerCallOptions = {
      signal: controller.signal,
      onProgress: (progress) => emit(id, 'progress', progress),
    };
    last = last
      .then(() => answer(trainer, fields, options))
      .then(({ kind, ...result }) => emit(id, kind, result))
      .catch((cause: unknown) => fail(id, cause))
      .finally(() => open.delete(id));
  };

  for await (const line of splitLines(input)) {
    const fields = parseRequest(line);
    if (fields instanceof TrainerError) fail(null, fields);
    else if (fields['kind'] === 'shutdown') break;
    else if (fields['kind'] === 'cancel') open.get(String(fields['target']))?.abort();
    else work(fields['id'] as string, fields);
  }
  for (const controller of open.values()) controller.abort();
  await last;
  await trainer.close();
}

function parseRequest(line: string | null): Fields | TrainerError {
  const bad = (message: string): TrainerError => new TrainerError('bad_request', message);
  if (line === null) return bad('a line is longer than 1 MiB: pass tensors as files');
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return bad(`a line is not JSON: ${line.slice(0, 80)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return bad(`a line is not a JSON object: ${line.slice(0, 80)}`);
  const { id } = value as Fields;
  if (typeof id !== 'string' || id === '' || id.length > ID_CHARS_MAX)
    return bad(`id is ${JSON.stringify(id) ?? 'missing'}; needed is a string of 1 to ${ID_CHARS_MAX} characters`);
  return value as Fields;
}

async function answer(
  trainer: Trainer,
  fields: Fields,
  options: TrainerCallOptions,
): Promise<Readonly<{ kind: string } & Record<string, unknown>>> {
  switch (fields['kind']) {
    case 'hello': {
      if (fields['protocol'] !== PROTOCOL)
        throw new TrainerError(
          'bad_request',
          `protocol is ${JSON.stringify(fields['protocol'])}; ${PROTOCOL} is spoken here`,
        );
      const { baseDigest, ...ready } = await trainer.hello();
      return { kind: 'ready', protocol: PROTOCOL, ...ready, base_digest: baseDigest };
    }
    case 'probe': {
      const { measurements } = await trainer.probe(camelFields(fields) as unknown as ProbeRequest, options);
      return { kind: 'probed', measurements: measurements.map(snakeFields) };
    }
    case 'train': {
      const scaling = SCALINGS.get(String(fields['scaling']));
      const known = [...SCALINGS.keys()].join(', ');
      if (scaling === undefined)
        throw new TrainerError(
          'bad_request',
          `scaling is ${JSON.stringify(fields['scaling'])}; needed is one of ${known}`,
        );
      const request = { ...camelFields(fields), scaling } as unknown as TrainRequest;
      return { kind: 'trained', ...snakeFields(await trainer.train(request, options)) };
    }
    case 'evaluate': {
      const request = camelFields(fields) as unknown as EvaluateRequest;
      return { kind: 'evaluated', ...snakeFields(await trainer.evaluate(request, options)) };
    }
    default:
      throw new TrainerError(
        'bad_request',
        `kind is ${JSON.stringify(fields['kind'])}; needed is one of hello, probe, train, evaluate, cancel, shutdown`,
      );
  }
}

/** The trainer checks the fields; here only their names change. */
function camelFields(fields: Fields): Fields {
  const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [camel(name), value]));
}

function snakeFields(fields: object): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [snakeCase(name), value]));
}
