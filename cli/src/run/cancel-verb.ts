import { printStanding } from './print-standing.ts';
import { REASON_HELP, REASON_OPTION, type RunVerb, reasonOf, runIdOf } from './verb.ts';

export const cancelVerb: RunVerb = {
  summary: 'ends a run for good; what was published stays',
  usage: '<run> [--reason TEXT]',
  help: [REASON_HELP],
  options: REASON_OPTION,
  prepare: (words) => {
    const [runId, reason] = [runIdOf(words), reasonOf(words)];
    return async (tools) => printStanding(tools, await tools.runs.cancelRun(runId, reason, tools.signal));
  },
};
