import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BASE_MODEL_DIR, DIAGNOSTICS_LANGUAGES, diagnosticsText } from '@flexlora/embedded-trainer';
import { reportIn, startCli } from '../../e2e/cli-process.ts';
import { findPeftPython } from '../../harness/peft-python.ts';

const { python, skip } = findPeftPython();
/** As `flexlora start` evaluates: bytes of each language, cut into windows of what the base model looks back and one more. */
const HELD_OUT_BYTES = 2_048;
const LENGTH = 64;
const AGENTS = 3;

test('PEFT loads the adapter that flexlora start writes, and finds the same held-out loss', { skip }, async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'flexlora-peft-start-'));
  after(() => rmSync(scratch, { recursive: true, force: true }));
  const args = ['start', '--json', '--agents', `${AGENTS}`, '--rounds', '1', '--out', join(scratch, 'run')];
  const { code, stdout, stderr } = await startCli(args).ended;
  assert.equal(code, 0, stderr);
  const report = reportIn(stdout);

  const languages = DIAGNOSTICS_LANGUAGES.slice(0, AGENTS);
  const text = Buffer.concat(languages.map((language) => diagnosticsText(language, 'held-out', HELD_OUT_BYTES)));
  const windows: number[][] = [];
  for (let at = 0; at < text.length - 1; at += LENGTH) windows.push([...text.subarray(at, at + LENGTH + 1)]);
  const tokens = join(scratch, 'tokens.json');
  writeFileSync(tokens, JSON.stringify({ windows }));
  const script = join(import.meta.dirname, 'check_adapter.py');
  const answer = JSON.parse(
    execFileSync(python, [script, BASE_MODEL_DIR, tokens, report.adapter_dir], { encoding: 'utf8' }),
  ) as {
    readonly base_loss: number;
    readonly adapters: readonly { readonly loss: number; readonly ranks: Readonly<Record<string, number>> }[];
  };

  const ours = report.rounds.at(-1)?.held_out_loss ?? Number.NaN;
  const theirs = answer.adapters[0]?.loss ?? Number.NaN;
  assert.ok(
    Math.abs(answer.base_loss - report.base_loss) < 1e-3,
    `base: PEFT ${answer.base_loss}, ours ${report.base_loss}`,
  );
  assert.ok(Math.abs(theirs - ours) < 1e-3, `adapter: PEFT ${theirs}, ours ${ours}`);
  assert.ok(report.base_loss - ours > 0.3, `the adapter has an effect: ${report.base_loss} to ${ours}`);
});
