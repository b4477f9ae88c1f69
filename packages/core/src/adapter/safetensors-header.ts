import { SAFETENSORS_HEADER_BYTES_MAX, SAFETENSORS_HEADER_DEPTH_MAX } from '../limits.ts';
import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import { countMembers, outlineJson } from './json-outline.ts';

/**
 * The header of a safetensors file: 8 bytes of little-endian length, then a JSON object from tensor name to dtype, shape and
 * `data_offsets` (relative to the end of the header), then the data without gaps. Source: the format's own description,
 * https://github.com/huggingface/safetensors#format.
 */
export interface SafetensorsHeader {
  /** In the order of their data. */
  readonly tensors: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Offset in the file at which the data begins. */
  readonly dataAt: number;
  readonly fileBytes: number;
}

export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Offsets in the file: `[begin, end)`. */
  readonly begin: number;
  readonly end: number;
}

/** Bytes of the length that every file begins with. */
export const SAFETENSORS_LENGTH_BYTES = 8;

const BRACE = 0x7b;

const ELEMENT_BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
};

/** The offset at which the data begins, from the first 8 bytes of a file: how much to read before `parseSafetensorsHeader`. */
export function safetensorsDataAt(start: Uint8Array): number | Refusal {
  const pickle = recognisePickle(start);
  if (pickle !== null) return pickle;
  if (start.byteLength < SAFETENSORS_LENGTH_BYTES) {
    return refuse(
      'badFile',
      `the file ends after ${start.byteLength} bytes; a safetensors file begins with 8 bytes of header length: send the whole file`,
    );
  }
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (length < 2n || length > BigInt(SAFETENSORS_HEADER_BYTES_MAX)) {
    return refuse(
      'badFile',
      `the header's length is ${length} bytes; allowed: 2 to ${SAFETENSORS_HEADER_BYTES_MAX}: check that this is a safetensors file`,
    );
  }
  return SAFETENSORS_LENGTH_BYTES + Number(length);
}

/** A zip archive (`torch.save` since 1.6) or a bare pickle of protocol 2 and up. Neither can begin a header within the limit. */
function recognisePickle(start: Uint8Array): Refusal | null {
  const zip = start[0] === 0x50 && start[1] === 0x4b && start[2] === 0x03 && start[3] === 0x04;
  const bare = start[0] === 0x80 && start[1] !== undefined && start[1] >= 2 && start[1] <= 5 && !looksLikeLength(start);
  if (!zip && !bare) return null;
  return refuse(
    'badFile',
    'this is a PyTorch pickle; only safetensors is read, because a pickle can run code: load it where it came from and save it with peft_model.save_pretrained(dir, safe_serialization=True)',
  );
}

/** A length within the limit has zeros in its upper four bytes; the opcodes that follow a pickle's protocol number do not. */
function looksLikeLength(start: Uint8Array): boolean {
  return start.byteLength >= 8 && start[4] === 0 && start[5] === 0 && start[6] === 0 && start[7] === 0;
}

/**
 * @param bytes at least the first `safetensorsDataAt` bytes of the file.
 * @param fileBytes size of the whole file, or null where it is not known yet.
 */
export function parseSafetensorsHeader(bytes: Uint8Array, fileBytes: number | null): SafetensorsHeader | Refusal {
  const dataAt = safetensorsDataAt(bytes);
  if (isRefusal(dataAt)) return dataAt;
  if (bytes.byteLength < dataAt) {
    return refuse(
      'badFile',
      `the file ends after ${bytes.byteLength} bytes, inside its header of ${dataAt} bytes: it is cut off, send the whole file`,
    );
  }
  const json = parseObject(bytes.subarray(SAFETENSORS_LENGTH_BYTES, dataAt));
  if (isRefusal(json)) return json;
  const tensors: TensorEntry[] = [];
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') {
      const parsed = parseMetadata(value);
      if (isRefusal(parsed)) return parsed;
      metadata = parsed;
      continue;
    }
    const tensor = parseTensor(name, value, dataAt);
    if (isRefusal(tensor)) return tensor;
    tensors.push(tensor);
  }
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  const end = contiguousEnd(tensors, dataAt);
  if (isRefusal(end)) return end;
  if (fileBytes !== null && fileBytes !== end) {
    return refuse(
      'badFile',
      `the file has ${fileBytes} bytes; its header describes ${end}: ${fileBytes < end ? 'it is cut off, send the whole file' : 'something was appended, save it again'}`,
    );
  }
  return { tensors, metadata, dataAt, fileBytes: end };
}

function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | Refusal {
  const { members, depth } = outlineJson(bytes);
  if (depth > SAFETENSORS_HEADER_DEPTH_MAX) {
    return refuse(
      'badFile',
      `the header nests ${depth} objects and lists; allowed: ${SAFETENSORS_HEADER_DEPTH_MAX}: check that this is a safetensors file`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    return refuse(
      'badFile',
      `the header is not JSON (${(error as Error).message}): check that this is a safetensors file`,
    );
  }
  if (!isObject(value)) {
    return refuse('badFile', 'the header is JSON, but not an object: check that this is a safetensors file');
  }
  if (bytes[0] !== BRACE) {
    return refuse(
      'badFile',
      `the header begins with the byte ${bytes[0]}; allowed: ${BRACE}, an opening brace: save the file again`,
    );
  }
  const named = countMembers(value);
  if (named === members) return value;
  return refuse(
    'badFile',
    `the header names ${members} members and holds ${named}: a name stands twice in one object; allowed: each once: save the file again`,
  );
}

function parseMetadata(value: unknown): Readonly<Record<string, string>> | Refusal {
  if (isObject(value) && Object.values(value).every((text) => typeof text === 'string')) {
    return value as Readonly<Record<string, string>>;
  }
  return refuse('badFile', '__metadata__ of the header is not an object of strings: save the file again without it');
}

function parseTensor(name: string, value: unknown, dataAt: number): TensorEntry | Refusal {
  if (!isObject(value)) return badTensor(name, 'is not described by an object', 'save the file again');
  const { dtype, shape, data_offsets: offsets } = value;
  const elementBytes =
    typeof dtype === 'string' && Object.hasOwn(ELEMENT_BYTES, dtype) ? ELEMENT_BYTES[dtype] : undefined;
  if (typeof dtype !== 'string' || elementBytes === undefined) {
    return badTensor(name, `has dtype ${shown(dtype)}`, `allowed: ${Object.keys(ELEMENT_BYTES).join(', ')}`);
  }
  if (!isNaturals(shape)) return badTensor(name, `has shape ${shown(shape)}`, 'allowed: a list of integers from 0');
  if (!isNaturals(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    return badTensor(name, `has data_offsets ${shown(offsets)}`, 'allowed: [begin, end] with begin at most end');
  }
  const bytes = shape.reduce((product, side) => product * side, elementBytes);
  const given = offsets[1]! - offsets[0]!;
  if (bytes !== given) {
    return badTensor(
      name,
      `is ${dtype} ${shown(shape)}, which is ${bytes} bytes, but its data_offsets span ${given}`,
      'save the file again',
    );
  }
  return { name, dtype, shape, begin: dataAt + offsets[0]!, end: dataAt + offsets[1]! };
}

function contiguousEnd(tensors: readonly TensorEntry[], dataAt: number): number | Refusal {
  let end = dataAt;
  for (const tensor of tensors) {
    if (tensor.begin !== end) {
      const what = tensor.begin < end ? 'overlaps the tensor before it' : 'leaves a gap after the tensor before it';
      return badTensor(
        tensor.name,
        `begins at byte ${tensor.begin - dataAt} of the data and ${what}`,
        `allowed: ${end - dataAt}; save the file again`,
      );
    }
    end = tensor.end;
  }
  return end;
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'none').slice(0, 80);

function badTensor(name: string, got: string, advice: string): Refusal {
  return refuse('badTensor', `tensor ${name.slice(0, 200)} ${got}; ${advice}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNaturals(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
