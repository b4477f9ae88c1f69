import { printStanding } from './print-standing.ts';
import { REASON_HELP, REASON_OPTION, type RunVerb, reasonOf, runIdOf } from './verb.ts';

export const pauseVerb: RunVerb = {
  summary: 'hands out no more work; what is under way is taken',
  usage: '<run> [--reason TEXT]',
  help: [REASON_HELP],
  options: REASON_OPTION,
  prepare: (words) => {
    const [runId, reason] = [runIdOf(words), reasonOf(words)];
    return async (tools) => printStanding(tools, await tools.runs.pauseRun(runId, reason, tools.signal));
  },
};
