import { printStanding } from './print-standing.ts';
import { type RunVerb, runIdOf } from './verb.ts';

export const resumeVerb: RunVerb = {
  summary: 'ends a pause',
  usage: '<run>',
  help: [],
  options: {},
  prepare: (words) => {
    const runId = runIdOf(words);
    return async (tools) => printStanding(tools, await tools.runs.resumeRun(runId, tools.signal));
  },
};
