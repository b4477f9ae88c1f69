import { createHash } from 'node:crypto';
import { isRefusal, parseSha256, type Refusal, refuse, type Sha256Hex, UPDATE_SAMPLES_MAX } from '@flexlora/core';
import type { UploadToken } from '@flexlora/stores';
import { UPLOAD_ID_CHARS_MAX } from '../limits.ts';

/**
 * All that is known of an open upload, as its id carries it: no process remembers an upload, so any may go on with it. It is what the
 * agent itself declared, and nothing in it is believed that the bytes or the round do not confirm.
 */
export interface DeclaredUpload {
  /** Unique to the opened upload. */
  readonly nonce: string;
  /** Null: nothing needs to be sent, the round has this update already. */
  readonly token: UploadToken | null;
  readonly bytes: number;
  readonly digest: Sha256Hex;
  readonly samples: number;
  readonly loss: number | null;
}

const NONCE_PATTERN = /^[0-9a-f]{32}$/;
/** A token becomes part of a request or of a path in the object store. */
const TOKEN_PATTERN = /^[A-Za-z0-9](?:[A-Za-z0-9._~-]{0,1022}[A-Za-z0-9_~-])?$/;

/** @throws {RangeError} when the object store's token is longer than an id may be: a bug of its adapter. */
export function encodeUploadId(upload: DeclaredUpload): string {
  const { nonce, token, bytes, digest, samples, loss } = upload;
  const text = Buffer.from(JSON.stringify([nonce, token, bytes, digest, samples, loss])).toString('base64url');
  if (text.length <= UPLOAD_ID_CHARS_MAX) return text;
  throw new RangeError(`the upload's id has ${text.length} characters; allowed: ${UPLOAD_ID_CHARS_MAX}`);
}

export function decodeUploadId(text: string): DeclaredUpload | Refusal {
  const fields = parseFields(text);
  if (fields === null) return malformed(text);
  const [nonce, token, bytes, digestText, samples, loss] = fields;
  if (typeof nonce !== 'string' || !NONCE_PATTERN.test(nonce)) return malformed(text);
  if (token !== null && (typeof token !== 'string' || !TOKEN_PATTERN.test(token))) return malformed(text);
  if (typeof bytes !== 'number' || typeof digestText !== 'string') return malformed(text);
  if (typeof samples !== 'number' || (loss !== null && typeof loss !== 'number')) return malformed(text);
  const digest = parseSha256('sha256', digestText);
  if (isRefusal(digest)) return digest;
  const declared: DeclaredUpload = { nonce, token: token as UploadToken | null, bytes, digest, samples, loss };
  return checkDeclared(declared) ?? declared;
}

/**
 * The last part of the name of the upload's object. It follows from all that was declared, so that an object has one declaration: whoever changes an
 * id speaks of another object, of which there are no bytes.
 */
export function attemptOf({ nonce, bytes, digest, samples, loss }: Omit<DeclaredUpload, 'token'>): string {
  const declared = JSON.stringify([nonce, bytes, digest, samples, loss]);
  return createHash('sha256').update(declared).digest('hex').slice(0, ATTEMPT_CHARS);
}

const ATTEMPT_CHARS = 32;

/** What an agent declares, within its bounds; whether it fits the assignment is another question. */
export function checkDeclared(declared: {
  readonly bytes: number;
  readonly samples: number;
  readonly loss: number | null;
}): Refusal | null {
  if (!Number.isSafeInteger(declared.bytes) || declared.bytes < 1) {
    return refuse('badNumber', `bytes is ${declared.bytes}; allowed: the size of the safetensors file, at least 1`);
  }
  if (!Number.isSafeInteger(declared.samples) || declared.samples < 1 || declared.samples > UPDATE_SAMPLES_MAX) {
    return refuse(
      'badNumber',
      `samples is ${declared.samples}; allowed: a whole number from 1 to ${UPDATE_SAMPLES_MAX}`,
    );
  }
  if (declared.loss !== null && !Number.isFinite(declared.loss)) {
    return refuse('badNumber', `loss is ${declared.loss}; allowed: a finite number, or leave it out`);
  }
  return null;
}

function parseFields(text: string): readonly unknown[] | null {
  if (text.length > UPLOAD_ID_CHARS_MAX) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return Array.isArray(value) && value.length === UPLOAD_FIELDS ? value : null;
  } catch {
    return null;
  }
}

const UPLOAD_FIELDS = 6;

const malformed = (text: string): Refusal =>
  refuse(
    'unknownUpload',
    `upload_id is ${JSON.stringify(text.slice(0, 40))} (${text.length} characters); allowed: the upload_id that OpenUpload gave, whole`,
  );
