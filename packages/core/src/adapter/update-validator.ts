import { SCALE_MAX } from '../quantisation/quantise-rows.ts';
import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import { createFiniteScanner } from './finite-scanner.ts';
import { SCALES_SUFFIX } from './peft-names.ts';
import {
  parseSafetensorsHeader,
  SAFETENSORS_LENGTH_BYTES,
  type SafetensorsHeader,
  safetensorsDataAt,
} from './safetensors-header.ts';
import { createScaleScanner } from './scale-scanner.ts';
import {
  checkFactorEntries,
  type ExpectedModule,
  readUpdateEntries,
  type UpdateEntries,
  type UpdateFactorEntry,
} from './update-header.ts';

/**
 * Checks an update while its bytes pass, in pieces cut anywhere, and holds none of them but the header.
 *
 * | after            | refused                                                                             |
 * |------------------|-------------------------------------------------------------------------------------|
 * | 8 bytes          | a pickle; a header above its limit                                                  |
 * | the header       | malformed JSON; a tensor, shape, dtype or rank that the assignment does not have    |
 * | each piece       | NaN, infinity or no scale, by tensor and index; bytes past the end                  |
 * | `end`            | a file that is cut off                                                              |
 */
export interface UpdateValidator {
  /** Null while all is well. After a refusal every call answers the same refusal. */
  push(bytes: Uint8Array): Refusal | null;
  end(): ValidUpdate | Refusal;
}

export interface ValidUpdate {
  readonly kind: 'valid';
  readonly header: SafetensorsHeader;
  readonly modules: UpdateEntries;
}

/** `anyAdapter`: whatever modules, ranks and format the file itself declares. */
export type UpdateExpectation =
  | { readonly kind: 'assignment'; readonly modules: readonly ExpectedModule[] }
  | { readonly kind: 'anyAdapter' };

export function createUpdateValidator(expectation: UpdateExpectation): UpdateValidator {
  const scanner = createFiniteScanner();
  let refusal: Refusal | null = null;
  let head = new Uint8Array(SAFETENSORS_LENGTH_BYTES);
  let received = 0;
  let update: ValidUpdate | null = null;
  let spans: readonly Span[] = [];
  let current = 0;
  let begun: Span | null = null;
  let check: SpanCheck = passAll;

  /** Takes what belongs to the header and returns the rest. */
  function takeHead(bytes: Uint8Array): Uint8Array | Refusal {
    let rest = bytes;
    while (update === null && rest.byteLength > 0) {
      const taken = Math.min(head.byteLength - received, rest.byteLength);
      head.set(rest.subarray(0, taken), received);
      received += taken;
      rest = rest.subarray(taken);
      if (received < head.byteLength) break;
      const problem = received === SAFETENSORS_LENGTH_BYTES ? growHead() : readHead();
      if (problem !== null) return problem;
    }
    return rest;
  }

  function growHead(): Refusal | null {
    const dataAt = safetensorsDataAt(head);
    if (isRefusal(dataAt)) return dataAt;
    const grown = new Uint8Array(dataAt);
    grown.set(head);
    head = grown;
    return null;
  }

  function readHead(): Refusal | null {
    const header = parseSafetensorsHeader(head, null);
    if (isRefusal(header)) return header;
    const modules = readUpdateEntries(header);
    if (isRefusal(modules)) return modules;
    if (expectation.kind === 'assignment') {
      const problem = checkFactorEntries(modules, expectation.modules);
      if (problem !== null) return problem;
    }
    update = { kind: 'valid', header, modules };
    spans = [...modules.values()]
      .flatMap(({ a, b }) => [...spansOf(a), ...spansOf(b)])
      .sort((x, y) => x.begin - y.begin);
    return null;
  }

  function scan(bytes: Uint8Array): Refusal | null {
    let rest = bytes;
    while (rest.byteLength > 0) {
      const span = spans[current];
      if (span === undefined) {
        return refuse(
          'tooLarge',
          `bytes follow the last tensor, at byte ${received}; allowed: the file that its header describes`,
        );
      }
      if (begun !== span) check = checkOf(span);
      begun = span;
      const piece = rest.subarray(0, span.end - received);
      const bad = check(piece);
      if (bad !== null) return bad;
      received += piece.byteLength;
      rest = rest.subarray(piece.byteLength);
      if (received === span.end) current += 1;
    }
    return null;
  }

  function checkOf({ part, factor }: Span): SpanCheck {
    if (part === 'scales') {
      const scales = createScaleScanner();
      return (bytes) => {
        const bad = scales.push(bytes);
        return bad === null ? null : noScale(factor, bad);
      };
    }
    if (factor.dtype === 'I8') return passAll;
    scanner.begin(factor.dtype);
    return (bytes) => {
      const bad = scanner.push(bytes);
      return bad === null ? null : notFinite(factor, bad);
    };
  }

  function end(): ValidUpdate | Refusal {
    if (update !== null && received === update.header.fileBytes) return update;
    if (update === null) {
      if (received < SAFETENSORS_LENGTH_BYTES) {
        const early = safetensorsDataAt(head.subarray(0, received));
        if (isRefusal(early)) return early;
      }
      return refuse(
        'badFile',
        `the file ends after ${received} bytes, inside its header: it is cut off, send the whole file`,
      );
    }
    return refuse(
      'badFile',
      `the file ends after ${received} bytes; its header describes ${update.header.fileBytes}: it is cut off, send the whole file`,
    );
  }

  return {
    push(bytes) {
      if (refusal !== null) return refusal;
      const rest = takeHead(bytes);
      refusal = isRefusal(rest) ? rest : scan(rest);
      return refusal;
    },
    end() {
      if (refusal !== null) return refusal;
      const answer = end();
      if (isRefusal(answer)) refusal = answer;
      return answer;
    },
  };
}

/** What follows each other in a file: the numbers of a factor, or their scales. */
interface Span {
  readonly part: 'numbers' | 'scales';
  readonly factor: UpdateFactorEntry;
  readonly begin: number;
  readonly end: number;
}

type SpanCheck = (bytes: Uint8Array) => Refusal | null;

/** Every byte is a number of 8 bits. */
const passAll: SpanCheck = () => null;

function spansOf(factor: UpdateFactorEntry): readonly Span[] {
  const numbers: Span = { part: 'numbers', factor, begin: factor.begin, end: factor.end };
  return factor.dtype === 'I8' ? [numbers, { ...factor.scales, part: 'scales', factor }] : [numbers];
}

const noScale = (factor: UpdateFactorEntry, row: number): Refusal =>
  refuse(
    'notFinite',
    `tensor ${factor.tensor}${SCALES_SUFFIX} holds no scale at index ${row}; allowed: numbers from 0 to ${SCALE_MAX}: training diverged, train again at a smaller learning rate`,
  );

function notFinite(factor: UpdateFactorEntry, index: number): Refusal {
  const row = Math.floor(index / factor.cols);
  return refuse(
    'notFinite',
    `tensor ${factor.tensor} holds NaN or infinity at index ${index} (row ${row}, column ${index % factor.cols}); allowed: finite numbers: training diverged, train again at a smaller learning rate`,
  );
}
