import type { RunVerb } from './verb.ts';

/** Adding a verb is one line. Imported when it is called for, or when the help tells of all. */
export const RUN_VERBS: Readonly<Record<string, () => Promise<RunVerb>>> = {
  create: async () => (await import('./create-verb.ts')).createVerb,
  get: async () => (await import('./get-verb.ts')).getVerb,
  list: async () => (await import('./list-verb.ts')).listVerb,
  watch: async () => (await import('./watch-verb.ts')).watchVerb,
  agents: async () => (await import('./agents-verb.ts')).agentsVerb,
  pause: async () => (await import('./pause-verb.ts')).pauseVerb,
  resume: async () => (await import('./resume-verb.ts')).resumeVerb,
  cancel: async () => (await import('./cancel-verb.ts')).cancelVerb,
  retry: async () => (await import('./retry-verb.ts')).retryVerb,
  rollback: async () => (await import('./rollback-verb.ts')).rollbackVerb,
  fork: async () => (await import('./fork-verb.ts')).forkVerb,
};
