import { Outcome, type Run } from '@flexlora/contracts/run/v1/run_service';
import { Fault } from '@flexlora/core';
import { runJson } from './run-json.ts';
import { standingLine } from './run-text.ts';
import { outcomeWord } from './run-words.ts';
import { type RunVerb, runIdOf } from './verb.ts';

export const watchVerb: RunVerb = {
  summary: 'how a run stands, at every change until it has ended; fails when it did not complete',
  usage: '<run>',
  help: [],
  options: {},
  prepare: (words) => {
    const runId = runIdOf(words);
    return async ({ runs, signal, print }) => {
      let last: Run | null = null;
      let told = '';
      for await (const run of runs.watchRun(runId, signal, 'withoutCohort')) {
        last = run;
        const line = standingLine(run);
        // Counts that no sentence tells may change often: people are told a sentence once.
        const text = line === told ? '' : `${line}\n`;
        told = line;
        print({ text: () => text, json: () => runJson(run) });
      }
      if (last?.outcome === Outcome.COMPLETED) return;
      const end = last === null ? 'was never told' : (outcomeWord(last.outcome) ?? 'was left while it went on');
      throw new Fault(
        `run ${runId} ${end === 'failed' ? 'has failed' : end}: ${last?.standing ?? 'nothing was heard'}`,
      );
    };
  },
};
