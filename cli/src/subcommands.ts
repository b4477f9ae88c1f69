/** Takes the arguments after the command's name and answers the exit code. */
export type RunSubcommand = (args: readonly string[]) => Promise<number>;

export interface Subcommand {
  /** One line of the help. */
  readonly summary: string;
  /** Imported when it is called for: no command pays for another's dependencies. */
  load(): Promise<RunSubcommand>;
}

/** Adding a command is one line. */
export const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  start: {
    summary: 'fine-tunes a small model over agents with unequal ranks, in this process',
    load: async () => (await import('./start/start-command.ts')).startCommand,
  },
  'dev-cluster': {
    summary: 'the same federation on a real Redis and a real S3, each service a process of its own',
    load: async () => (await import('./dev-cluster/dev-cluster-command.ts')).devClusterCommand,
  },
  run: {
    summary:
      'what operators do with runs: create, get, list, watch, pause, resume, cancel, retry, rollback, fork, agents',
    load: async () => {
      const { runCommand } = await import('./run/run-command.ts');
      return (args) => runCommand(args);
    },
  },
  simulate: {
    summary:
      'sizes a cluster: thousands of virtual agents with unequal hardware, over real gRPC through the real services',
    load: async () => (await import('./simulate/simulate-command.ts')).simulateCommand,
  },
  aggregate: {
    summary: 'adds up PEFT adapters of different ranks exactly, into one of the rank you want',
    load: async () => (await import('./aggregate/aggregate-command.ts')).aggregateCommand,
  },
};
