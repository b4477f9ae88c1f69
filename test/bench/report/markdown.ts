export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** A Markdown table whose columns line up as plain text too. */
export function markdownTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, i) => Math.max(title.length, 3, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const pad = (text: string, i: number) =>
    columns[i]!.align === 'left' ? text.padEnd(widths[i]!) : text.padStart(widths[i]!);
  const rule = columns.map(({ align }, i) =>
    align === 'left' ? '-'.repeat(widths[i]!) : `${'-'.repeat(widths[i]! - 1)}:`,
  );
  return [
    line(columns.map(({ title }, i) => pad(title, i))),
    line(rule),
    ...rows.map((row) => line(row.map(pad))),
  ].join('\n');
}

/** Three digits, without an exponent where a reader needs none. */
export function threeDigits(value: number): string {
  if (value === 0) return '0';
  const magnitude = Math.abs(value);
  if (magnitude >= 1000) return Math.round(value).toLocaleString('en-US');
  return magnitude < 1e-3 ? value.toExponential(1) : `${Number(value.toPrecision(3))}`;
}

export function percentOf(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

/** What is not known is a dash. */
export function orDash<Value>(value: Value | null, text: (value: Value) => string): string {
  return value === null ? '–' : text(value);
}
