import { SUBCOMMANDS } from './subcommands.ts';

/** Exit codes: 0 done, 1 refused or failed, 2 wrong usage. */
export async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(helpText());
    return name === undefined ? 2 : 0;
  }
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  if (subcommand === undefined) {
    process.stderr.write(`flexlora: there is no command "${name}"; allowed: ${Object.keys(SUBCOMMANDS).join(', ')}\n`);
    return 2;
  }
  const run = await subcommand.load();
  return run(rest);
}

function helpText(): string {
  const width = Math.max(...Object.keys(SUBCOMMANDS).map((name) => name.length));
  const lines = Object.entries(SUBCOMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`);
  return ['usage: flexlora <command> [options]', '', ...lines, '', 'flexlora <command> --help says more.', ''].join(
    '\n',
  );
}
