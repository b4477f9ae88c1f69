import { Fault, RUN_ROUNDS_MAX } from '@flexlora/core';
import { UsageError, wholeNumber } from '../start/options.ts';
import { printStanding } from './print-standing.ts';
import { parseSpecChanges, specDocumentOf, specMessageOf } from './spec-document.ts';
import { readSpecFile } from './spec-file.ts';
import { positionals, type RunVerb, textOption } from './verb.ts';

export const forkVerb: RunVerb = {
  summary: 'creates a run that begins with an adapter that another run published',
  usage: '<run> --from ROUND --as NEW [--rounds N] [--changes FILE]',
  help: [
    '--from ROUND   the published round of <run> to begin with',
    '--as NEW       the id of the new run',
    '--rounds N     rounds of the new run (as many as the origin has)',
    '--changes FILE fields of the specification that differ from the origin’s, as JSON; - reads standard input (none)',
  ],
  options: {
    from: { type: 'string' },
    as: { type: 'string' },
    rounds: { type: 'string' },
    changes: { type: 'string' },
  },
  prepare: (words) => {
    const runId = positionals(words, '<run>')[0]!;
    const [from, newId, rounds, changesFile] = ['from', 'as', 'rounds', 'changes'].map((name) =>
      textOption(words, name),
    );
    if (from == null) throw new UsageError('--from is missing; needed: --from ROUND, which "flexlora run get" shows');
    if (newId == null) throw new UsageError('--as is missing; needed: --as NEW, the id of the new run');
    const round = wholeNumber('--from', from, 0, RUN_ROUNDS_MAX);
    const newRounds = rounds == null ? {} : { rounds: wholeNumber('--rounds', rounds, 1, RUN_ROUNDS_MAX) };
    return async (tools) => {
      const { runs, signal } = tools;
      const changes = changesFile == null ? {} : await readChanges(changesFile);
      const { spec } = await runs.getRun(runId, 'withoutCohort', signal);
      if (spec === undefined) throw new Fault(`the server told of run ${runId} without its specification`);
      // The server fills the origin in: it knows the manifest's digest.
      const document = { ...specDocumentOf(spec), ...changes, ...newRounds, runId: newId, origin: null };
      const fork = { spec: specMessageOf(document), from: { runId, round } };
      printStanding(tools, await runs.forkRun(fork, signal));
    };
  },
};

async function readChanges(path: string) {
  const { name, text } = await readSpecFile(path);
  return parseSpecChanges(text, name);
}
