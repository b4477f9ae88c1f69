import { runJson } from './run-json.ts';
import { runText } from './run-text.ts';
import { type RunVerb, runIdOf } from './verb.ts';

export const getVerb: RunVerb = {
  summary: 'how a run stands, what it waits for, and what it has published',
  usage: '<run> [--cohort]',
  help: ['--cohort       also the agents of the open round, and what each does'],
  options: { cohort: { type: 'boolean' } },
  prepare: (words) => {
    const runId = runIdOf(words);
    const extent = words.values['cohort'] === true ? 'withCohort' : 'withoutCohort';
    return async ({ runs, signal, print }) => {
      const run = await runs.getRun(runId, extent, signal);
      print({ text: () => runText(run), json: () => runJson(run) });
    };
  },
};
