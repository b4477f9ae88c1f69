import { runJson } from './run-json.ts';
import { listText } from './run-text.ts';
import { positionals, type RunVerb } from './verb.ts';

export const listVerb: RunVerb = {
  summary: 'every run and how it stands',
  usage: '',
  help: [],
  options: {},
  prepare: (words) => {
    positionals(words);
    return async ({ runs, signal, print }) => {
      const all = await runs.listRuns(signal);
      print({ text: () => listText(all), json: () => all.map(runJson) });
    };
  },
};
