import { printStanding } from './print-standing.ts';
import { REASON_HELP, REASON_OPTION, type RunVerb, reasonOf, runIdOf } from './verb.ts';

export const retryVerb: RunVerb = {
  summary: 'gives the open round another try: tasks that are held, work that nobody did, a run that failed',
  usage: '<run> [--reason TEXT]',
  help: [REASON_HELP],
  options: REASON_OPTION,
  prepare: (words) => {
    const [runId, reason] = [runIdOf(words), reasonOf(words)];
    return async (tools) => printStanding(tools, await tools.runs.retryRound(runId, reason, tools.signal));
  },
};
