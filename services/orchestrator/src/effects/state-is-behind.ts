import { Fault, type RunId, specObjectName } from '@flexlora/core';

/** The object store is ahead of the state: the round store lost the newest it knew. The run takes it over from there. */
export class StateIsBehind extends Fault {
  override readonly name = 'StateIsBehind';
}

export const stateIsBehind = (objectName: string, difference: string): StateIsBehind =>
  new StateIsBehind(`${objectName} exists and ${difference}: the round store is behind the object store`);

/** Nothing that the platform does makes two of these, so nobody but people can say which is right. */
export const otherSpec = (runId: RunId): Fault =>
  new Fault(
    `${specObjectName(runId)} says something else than this run: it was changed by hand, or another installation uses this bucket. Restore it, or create the run under another id`,
  );
