import { RUN_ROUNDS_MAX } from '@flexlora/core';
import { UsageError, wholeNumber } from '../start/options.ts';
import { printStanding } from './print-standing.ts';
import { REASON_HELP, REASON_OPTION, type RunVerb, reasonOf, runIdOf, textOption } from './verb.ts';

export const rollbackVerb: RunVerb = {
  summary: 'publishes an earlier adapter again as that of the open round, and goes on from there',
  usage: '<run> --to ROUND [--reason TEXT]',
  help: ['--to ROUND     the published round whose adapter it is; 0 is the initial one', REASON_HELP],
  options: { to: { type: 'string' }, ...REASON_OPTION },
  prepare: (words) => {
    const [runId, reason, to] = [runIdOf(words), reasonOf(words), textOption(words, 'to')];
    if (to === null) throw new UsageError('--to is missing; needed: --to ROUND, a round that "flexlora run get" shows');
    const round = wholeNumber('--to', to, 0, RUN_ROUNDS_MAX);
    return async (tools) => printStanding(tools, await tools.runs.rollBackRun({ runId, round }, reason, tools.signal));
  },
};
