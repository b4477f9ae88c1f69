import type { Clock, Logger } from '@flexlora/runtime';
import type { ObjectStore, RoundStore } from '@flexlora/stores';
import type { EventDoor } from '../offer-event.ts';
import type { Presence } from '../presence.ts';
import type { RunOccasions } from '../run-occasions.ts';
import type { RunReader } from '../run-reader.ts';
import type { RunSignals } from '../run-signals.ts';
import type { Slots } from '../slots.ts';

/** What the control services stand on. */
export interface ControlDeps {
  readonly roundStore: RoundStore;
  readonly objectStore: ObjectStore;
  readonly logger: Logger;
  readonly reader: RunReader;
  readonly door: EventDoor;
  readonly signals: RunSignals;
  readonly occasions: RunOccasions;
  readonly presence: Presence;
  readonly clock: Clock;
  /** Calls that wait for work. */
  readonly heldSlots: Slots;
  readonly watchSlots: Slots;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** 32 hexadecimal digits, never the same twice. */
  readonly randomId: () => string;
  /** Aborted when the process stops: held calls are answered at once. */
  readonly stopping: AbortSignal;
}
