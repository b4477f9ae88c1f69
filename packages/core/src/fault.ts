/**
 * A backend did not do what it was asked, though nothing was wrong with the question: the same call may succeed later. Thrown with its
 * `cause`; a door answers it with "unavailable" and a time to wait.
 */
export class Fault extends Error {
  override readonly name: string = 'Fault';
}

/** What the caller did, or its line, broke the call: it may go on, and nobody here needs to look. */
export class CallerFault extends Fault {
  override readonly name = 'CallerFault';
}

/** A bound of this process is reached; nothing was done, and the same call succeeds when others have ended. */
export class BusyFault extends Fault {
  override readonly name = 'BusyFault';
}
