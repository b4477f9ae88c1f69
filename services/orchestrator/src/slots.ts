import { BusyFault } from '@flexlora/core';

/** How many things of one kind a process does at once: each holds bounded memory, so this bounds the memory of them all. */
export interface Slots {
  /** @throws {BusyFault} when all are taken; the caller comes back, and another replica may have room. */
  take(): Slot;
}

export interface Slot {
  /** Gives the slot back; more than once is once. */
  release(): void;
}

/** @param what in the plural, for people: `uploads`. */
export function createSlots(what: string, slotsMax: number, onChange: (change: 1 | -1) => void = () => {}): Slots {
  let taken = 0;
  return {
    take: () => {
      if (taken >= slotsMax) throw new BusyFault(`${taken} ${what} are under way; allowed: ${slotsMax}; try again`);
      taken += 1;
      onChange(1);
      let given = false;
      return {
        release: () => {
          if (given) return;
          given = true;
          taken -= 1;
          onChange(-1);
        },
      };
    },
  };
}
