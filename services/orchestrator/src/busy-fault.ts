import { Fault } from '@flexlora/core';

/** A bound of this process is reached; nothing was done, and the same call succeeds when others have ended. */
export class BusyFault extends Fault {
  override readonly name = 'BusyFault';
}
