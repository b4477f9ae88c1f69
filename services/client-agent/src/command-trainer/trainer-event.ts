import { RANK_MAX, RUN_MODULES_MAX } from '@flexlora/core';
import { z } from 'zod';
import type { EvaluateResult, ProbeResult, TrainerProgress, TrainerReady, TrainResult } from '../trainer.ts';
import { SHOWN_CHARS_MAX } from './limits.ts';

/** One line of a trainer, read. `garbage` is no event at all; `malformed` is one whose fields are wrong. */
export type TrainerEvent =
  | { readonly kind: 'ready'; readonly id: string; readonly value: TrainerReady }
  | { readonly kind: 'probed'; readonly id: string; readonly value: ProbeResult }
  | { readonly kind: 'progress'; readonly id: string; readonly value: TrainerProgress }
  | { readonly kind: 'trained'; readonly id: string; readonly value: TrainResult }
  | { readonly kind: 'evaluated'; readonly id: string; readonly value: EvaluateResult }
  | { readonly kind: 'error'; readonly id: string | null; readonly value: z.infer<typeof errorFields> }
  | { readonly kind: 'malformed'; readonly id: string; readonly message: string }
  | { readonly kind: 'garbage'; readonly text: string };

const count = z.int().min(0);
const seconds = z.number().min(0);
const loss = z.number();

const envelope = z.object({ id: z.string().nullable(), kind: z.string() });

const readyFields = z
  .object({
    protocol: z.literal(1),
    trainer: z.string().max(100),
    version: z.string().max(100),
    modules: z
      .array(z.object({ name: z.string(), out: z.int().min(1), in: z.int().min(1) }))
      .min(1)
      .max(RUN_MODULES_MAX),
    base_digest: z.string().regex(/^[0-9a-f]{64}$/),
  })
  .transform(
    ({ trainer, version, modules, base_digest }): TrainerReady => ({
      trainer,
      version,
      modules,
      baseDigest: base_digest,
    }),
  );

const probedFields = z
  .object({
    measurements: z
      .array(z.object({ rank: z.int().min(1).max(RANK_MAX), memory_bytes: count, step_seconds: seconds }))
      .max(RANK_MAX),
  })
  .transform(
    ({ measurements }): ProbeResult => ({
      measurements: measurements.map(({ rank, memory_bytes, step_seconds }) => ({
        rank,
        memoryBytes: memory_bytes,
        stepSeconds: step_seconds,
      })),
    }),
  );

const progressFields = z.object({ done: z.number().min(0), total: z.number().min(0), loss: loss.nullable() });

const trainedFields = z
  .object({ samples: z.int().min(1), steps: count, loss_first: loss, loss_last: loss, seconds })
  .transform(
    ({ samples, steps, loss_first, loss_last, seconds: took }): TrainResult => ({
      samples,
      steps,
      lossFirst: loss_first,
      lossLast: loss_last,
      seconds: took,
    }),
  );

const evaluatedFields = z.object({ loss, tokens: count, seconds });

const errorFields = z.object({
  code: z.enum(['bad_request', 'bad_adapter', 'bad_data', 'out_of_memory', 'diverged', 'cancelled', 'internal']),
  message: z.string(),
});

export function parseTrainerEvent(line: string): TrainerEvent {
  const json = parseJson(line);
  const head = envelope.safeParse(json);
  if (!head.success) return garbage(line);
  const { id, kind } = head.data;
  if (kind === 'error') return read(id, errorFields, json, (value) => ({ kind, id, value }));
  if (id === null) return garbage(line);
  switch (kind) {
    case 'ready':
      return read(id, readyFields, json, (value) => ({ kind, id, value }));
    case 'probed':
      return read(id, probedFields, json, (value) => ({ kind, id, value }));
    case 'progress':
      return read(id, progressFields, json, (value) => ({ kind, id, value }));
    case 'trained':
      return read(id, trainedFields, json, (value) => ({ kind, id, value }));
    case 'evaluated':
      return read(id, evaluatedFields, json, (value) => ({ kind, id, value }));
  }
  // A newer trainer may tell more than we know of.
  return garbage(line);
}

function read<T>(
  id: string | null,
  fields: z.ZodType<T>,
  json: unknown,
  event: (value: T) => TrainerEvent,
): TrainerEvent {
  const parsed = fields.safeParse(json);
  if (parsed.success) return event(parsed.data);
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  return { kind: 'malformed', id: id ?? '', message: problems.slice(0, SHOWN_CHARS_MAX) };
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

const garbage = (line: string): TrainerEvent => ({ kind: 'garbage', text: line.slice(0, SHOWN_CHARS_MAX) });
