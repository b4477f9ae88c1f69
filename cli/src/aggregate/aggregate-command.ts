import { isRefusal } from '@flexlora/core';
import { loadKernel } from '@flexlora/kernel';
import { aggregateAdapters } from './aggregate-adapters.ts';
import { AGGREGATE_HELP, parseAggregateArguments } from './aggregate-options.ts';
import { reportTable } from './aggregate-report.ts';

/** `flexlora aggregate`: 0 written, 1 refused or failed, 2 wrong usage. Standard output has the result alone. */
export async function aggregateCommand(args: readonly string[]): Promise<number> {
  const parsed = parseAggregateArguments(args);
  if (parsed.kind === 'usage') {
    if (parsed.problem === null) {
      process.stdout.write(AGGREGATE_HELP);
      return 0;
    }
    complain(`${parsed.problem}\n"flexlora aggregate --help" says more`);
    return 2;
  }
  const cancel = new AbortController();
  const onSignal = () => cancel.abort(new Error('cancelled; nothing was written'));
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const { kernel, notice } = loadKernel(parsed.kernel);
    if (parsed.kernel.prefer === 'native' && kernel.name !== 'native') {
      complain(
        `--kernel is native, which is not built here; allowed: portable, or build it first with npm run build:kernel`,
      );
      return 1;
    }
    if (notice !== null) complain(notice);
    const report = await aggregateAdapters(parsed.options, { kernel, signal: cancel.signal });
    if (isRefusal(report)) {
      complain(report.message);
      return 1;
    }
    for (const text of report.notices) complain(text);
    process.stdout.write(parsed.output === 'json' ? `${JSON.stringify(report, null, 2)}\n` : reportTable(report));
    return 0;
  } catch (error) {
    complain(failureText(cancel.signal.aborted ? cancel.signal.reason : error));
    return 1;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

function complain(text: string): void {
  process.stderr.write(`flexlora aggregate: ${text}\n`);
}

/** A fault with its causes, outermost first. */
function failureText(error: unknown): string {
  const texts: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) texts.push(at.message);
  return texts.length > 0 ? texts.join(': ') : String(error);
}
