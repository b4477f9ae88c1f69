import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type ChaosReport, recoveryTable, summaryOf } from './recovery-table.ts';

export const RECOVERING_PAGE = fileURLToPath(new URL('../../../docs/operating/recovering.md', import.meta.url));

const BEGIN = '<!-- recovery table: written by `npm run test:chaos -- --write-docs`; do not edit -->';
const END = '<!-- end of the recovery table -->';

/** What stands between the markers of a page; null where it does not have each exactly once, in their order. */
export function tableIn(page: string): string | null {
  const [before, rest, ...more] = page.split(BEGIN);
  if (before === undefined || rest === undefined || more.length > 0 || before.includes(END)) return null;
  const parts = rest.split(END);
  return parts.length === 2 ? (parts[0] ?? null) : null;
}

/** The page with another table. @throws when it lacks the markers. */
export function withTable(page: string, report: ChaosReport): string {
  const old = tableIn(page);
  if (old === null) throw new Error(`the page lacks its markers: ${BEGIN} and ${END}, once each`);
  const command = `npm run test:chaos -- --faults ${report.faults.length} --rounds ${report.rounds} --seed ${report.seed}`;
  const text = `\n\n\`${command}\` on ${new Date().toISOString().slice(0, 10)}:\n\n${summaryOf(report)}\n\n${recoveryTable(report)}\n\n`;
  return page.replace(`${BEGIN}${old}${END}`, () => `${BEGIN}${text}${END}`);
}

export async function writeDocs(report: ChaosReport): Promise<void> {
  await writeFile(RECOVERING_PAGE, withTable(await readFile(RECOVERING_PAGE, 'utf8'), report));
}
