import type { ModuleName } from '../ids.ts';
import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import { createFiniteScanner } from './finite-scanner.ts';
import {
  parseSafetensorsHeader,
  SAFETENSORS_LENGTH_BYTES,
  type SafetensorsHeader,
  safetensorsDataAt,
} from './safetensors-header.ts';
import {
  checkFactorEntries,
  type ExpectedModule,
  type FactorEntry,
  type ModuleFactorEntries,
  readFactorEntries,
} from './update-header.ts';

/**
 * Checks an update while its bytes pass, in pieces cut anywhere, and holds none of them but the header.
 *
 * | after            | refused                                                                             |
 * |------------------|-------------------------------------------------------------------------------------|
 * | 8 bytes          | a pickle; a header above its limit                                                  |
 * | the header       | malformed JSON; a tensor, shape, dtype or rank that the assignment does not have    |
 * | each piece       | NaN or infinity, by tensor and index; bytes past the end                            |
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
  readonly modules: ReadonlyMap<ModuleName, ModuleFactorEntries>;
}

/** `anyAdapter`: whatever modules and ranks the file itself declares. */
export type UpdateExpectation =
  | { readonly kind: 'assignment'; readonly modules: readonly ExpectedModule[] }
  | { readonly kind: 'anyAdapter' };

export function createUpdateValidator(expectation: UpdateExpectation): UpdateValidator {
  const scanner = createFiniteScanner();
  let refusal: Refusal | null = null;
  let head = new Uint8Array(SAFETENSORS_LENGTH_BYTES);
  let received = 0;
  let update: ValidUpdate | null = null;
  let factors: readonly FactorEntry[] = [];
  let current = 0;
  let begun: FactorEntry | null = null;

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
    const modules = readFactorEntries(header);
    if (isRefusal(modules)) return modules;
    if (expectation.kind === 'assignment') {
      const problem = checkFactorEntries(modules, expectation.modules);
      if (problem !== null) return problem;
    }
    update = { kind: 'valid', header, modules };
    factors = [...modules.values()].flatMap(({ a, b }) => [a, b]).sort((x, y) => x.begin - y.begin);
    return null;
  }

  function scan(bytes: Uint8Array): Refusal | null {
    let rest = bytes;
    while (rest.byteLength > 0) {
      const factor = factors[current];
      if (factor === undefined) {
        return refuse(
          'tooLarge',
          `bytes follow the last tensor, at byte ${received}; allowed: the file that its header describes`,
        );
      }
      if (begun !== factor) scanner.begin(factor.dtype);
      begun = factor;
      const piece = rest.subarray(0, factor.end - received);
      const bad = scanner.push(piece);
      if (bad !== null) return notFinite(factor, bad);
      received += piece.byteLength;
      rest = rest.subarray(piece.byteLength);
      if (received === factor.end) current += 1;
    }
    return null;
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

function notFinite(factor: FactorEntry, index: number): Refusal {
  const row = Math.floor(index / factor.cols);
  return refuse(
    'notFinite',
    `tensor ${factor.tensor} holds NaN or infinity at index ${index} (row ${row}, column ${index % factor.cols}); allowed: finite numbers: training diverged, train again at a smaller learning rate`,
  );
}
