/** SIGHUP: the terminal was closed. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** An abort signal that Ctrl-C, SIGTERM or a closed terminal raises; the second time ends the process at once. */
export function abortOnSignals(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  let firstAt = 0;
  const stop = (name: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      firstAt = performance.now();
      controller.abort(new Error(`stopped by ${name}`));
    } else if (performance.now() - firstAt > ONE_PRESS_MS) process.exit(SECOND_TIME);
  };
  for (const name of SIGNALS) process.on(name, stop);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}

/** One Ctrl-C may come twice: from the terminal, which tells its whole group, and from a parent (npm, a launcher) that passes its own on. */
const ONE_PRESS_MS = 500;

/** What shells use for a process that SIGINT ended. */
const SECOND_TIME = 130;
