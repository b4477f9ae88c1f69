import type { Run } from '@flexlora/contracts/run/v1/run_service';
import { runJson } from './run-json.ts';
import { standingLine } from './run-text.ts';
import type { VerbTools } from './verb.ts';

/** What a verb that changes a run answers: how it stands now. */
export const printStanding = ({ print }: VerbTools, run: Run): void =>
  print({ text: () => `${standingLine(run)}\n`, json: () => runJson(run) });
