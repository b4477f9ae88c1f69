import { createHash } from 'node:crypto';
import type { PlannedComponent } from './plan-download.ts';

/** Verifies the components of a download while its bytes pass. */
export interface ComponentVerifier {
  /** The first byte that is not verified: where a download goes on. A boundary of components. */
  verified(): number;
  /** The next bytes, from `verified()` on. False when a component is not what its digest says: then ask again from `verified()`. */
  push(bytes: Uint8Array): boolean;
}

export function createComponentVerifier(components: readonly PlannedComponent[], from: number): ComponentVerifier {
  let index = components.findIndex(({ end }) => end > from);
  if (index < 0) index = components.length;
  let verified = components[index]?.begin ?? from;
  let position = verified;
  let hash = createHash('sha256');

  return {
    verified: () => verified,
    push(bytes) {
      let rest = bytes;
      for (
        let component = components[index];
        component !== undefined && rest.byteLength > 0;
        component = components[index]
      ) {
        const piece = rest.subarray(0, component.end - position);
        hash.update(piece);
        position += piece.byteLength;
        rest = rest.subarray(piece.byteLength);
        if (position < component.end) break;
        const digest = hash.digest('hex');
        hash = createHash('sha256');
        if (digest !== component.sha256) {
          position = verified;
          return false;
        }
        verified = component.end;
        index += 1;
      }
      return true;
    },
  };
}
