import { delimiter } from 'node:path';
import type { Environment } from '@flexlora/runtime';

/** Folders in which programs are looked for. */
export const readSearchPath = (env: Environment = process.env): readonly string[] =>
  (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');

/** What a program of somebody else gets to see of this process' environment. */
export const readProgramEnvironment = (env: Environment = process.env): Readonly<Record<string, string>> => ({
  PATH: env['PATH'] ?? '',
  HOME: env['HOME'] ?? '',
});
