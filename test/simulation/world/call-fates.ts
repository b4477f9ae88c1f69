import type { MessageFate, NetworkMessage } from '@flexlora/runtime';
import type { Conductor } from '../faults/conductor.ts';
import type { CallFault } from '../faults/fault-plan.ts';

/** What becomes of the messages between hosts: they take time, and calls are fault points such as `rpc.CommitUpload`;
 * a stream breaks at a message of it, `rpc.UploadUpdate.message`. */
export interface CallFates {
  fateOf(message: NetworkMessage): MessageFate;
}

export interface CallFatesDeps {
  readonly conductor: Conductor;
  latencyMs(): number;
  /** How long it takes until the host's process goes on; 0 for one that is not stopped. */
  stoppedForMs(host: string): number;
  isCutOff(host: string): boolean;
  schedule(afterMs: number, act: () => void): void;
  crash(host: string, downMs: number): void;
  pause(host: string, ms: number): void;
}

/** Long enough for the other side to hear what was sent, and to have answered. */
const HEARD_MS = 5;

export function createCallFates(deps: CallFatesDeps): CallFates {
  /** What happens to the next answer that a host hears of a method. */
  const answers = new Map<string, CallFault>();

  const pass = (message: NetworkMessage, moreMs = 0): MessageFate => ({
    kind: 'pass',
    afterMs: Math.max(deps.latencyMs() + moreMs, deps.stoppedForMs(message.from), deps.stoppedForMs(message.to)),
  });

  const fateOfCall = (message: NetworkMessage, callFault: CallFault | null): MessageFate => {
    const { from, path } = message;
    if (callFault === null) return pass(message);
    switch (callFault.kind) {
      case 'crashHere': {
        const { side, downMs } = callFault;
        const afterMs = side === 'before' ? 0 : deps.latencyMs() * (side === 'sent' ? 1 : 2) + HEARD_MS;
        deps.schedule(afterMs, () => deps.crash(from, downMs));
        return side === 'before' ? { kind: 'lost' } : pass(message);
      }
      case 'pauseHere':
        if (callFault.side === 'before') {
          deps.pause(from, callFault.ms);
          return pass(message);
        }
        deps.schedule(deps.latencyMs(), () => deps.pause(from, callFault.ms));
        return pass(message);
      case 'lostRequest':
        return { kind: 'cut' };
      case 'lostReply':
        answers.set(`${from} ${path}`, callFault);
        return pass(message);
      case 'slowCall':
        if (callFault.way === 'there') return pass(message, callFault.ms);
        answers.set(`${from} ${path}`, callFault);
        return pass(message);
      case 'repeatedCall':
        return { kind: 'passTwice', afterMs: deps.latencyMs() };
    }
  };

  const fateOfAnswer = (message: NetworkMessage): MessageFate => {
    const key = `${message.to} ${message.path}`;
    const fault = answers.get(key);
    answers.delete(key);
    if (fault?.kind === 'lostReply') return { kind: 'cut' };
    return pass(message, fault?.kind === 'slowCall' ? fault.ms : 0);
  };

  const faultAt = ({ from }: NetworkMessage, point: string): CallFault | null => {
    const passage = deps.conductor.passing(from, point);
    passage.performed();
    return passage.callFault;
  };

  return {
    fateOf: (message) => {
      if (deps.isCutOff(message.from) || deps.isCutOff(message.to)) return { kind: 'cut' };
      switch (message.kind) {
        case 'call':
          return fateOfCall(message, faultAt(message, pointOf(message)));
        case 'message':
          return faultAt(message, `${pointOf(message)}.message`) === null ? pass(message) : { kind: 'cut' };
        case 'answer':
        case 'status':
          return fateOfAnswer(message);
        case 'halfClose':
        case 'cancel':
          return pass(message);
      }
    },
  };
}

const pointOf = ({ path }: NetworkMessage): string => `rpc.${path.slice(path.lastIndexOf('/') + 1)}`;
