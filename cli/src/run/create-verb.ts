import { printStanding } from './print-standing.ts';
import { parseSpecDocument, specMessageOf } from './spec-document.ts';
import { readSpecFile } from './spec-file.ts';
import { positionals, type RunVerb } from './verb.ts';

export const createVerb: RunVerb = {
  summary: 'creates a run from a specification; the same specification again is the same run',
  usage: '<spec.json>',
  help: ['<spec.json>    a file, as "flexlora run get --json" shows it in "spec"; - reads standard input'],
  options: {},
  prepare: (words) => {
    const path = positionals(words, '<spec.json>')[0]!;
    return async (tools) => {
      const { name, text } = await readSpecFile(path);
      const spec = specMessageOf(parseSpecDocument(text, name));
      printStanding(tools, await tools.runs.createRun(spec, tools.signal));
    };
  },
};
