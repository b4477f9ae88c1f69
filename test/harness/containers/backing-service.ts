import { startContainer } from './container-service.ts';
import { findOnPath, startProgram } from './program-service.ts';

/** A server under a test's control. `kill` and `restart` keep its data and its port. */
export interface BackingService {
  readonly port: number;
  /** Where its data is on this machine; null when it is in a container, or not ours. */
  readonly directory: string | null;
  /** Ends it at once, as a crash does; or asks it to end, and waits. */
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** Stops it where it stands, its connections open, until `resume`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Starts it again after `kill`, and resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Why there is no server: shown by the tests that are left out. */
export interface NoService {
  readonly skip: string;
}

/** How one kind of server is started. */
export interface ServiceRecipe {
  readonly name: string;
  readonly image: string;
  readonly containerPort: number;
  readonly containerCommand: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly program: string;
  programArguments(port: number, directory: string): readonly string[];
  /** Whether a server answers on 127.0.0.1; never throws. */
  answers(port: number): Promise<boolean>;
}

/** `own`: a server that nobody else uses, which may be killed. `any`: also one that the environment names. */
export interface ServiceOptions {
  readonly use?: 'any' | 'own';
  /** Its data in this directory of this machine, which is there; only a program can do so, and `stop` leaves it. */
  readonly directory?: string;
}

/**
 * Through Docker when it answers, else as a program on PATH. Where neither works: an error when `CI` or `FLEXLORA_REQUIRE_STORES` is set,
 * so that no pipeline passes without these tests; elsewhere the reason to skip. `FLEXLORA_STORES_FROM` (`docker` or `path`) allows one way only.
 */
export async function startBackingService(
  recipe: ServiceRecipe,
  options: ServiceOptions = {},
): Promise<BackingService | NoService> {
  const reasons: string[] = [];
  const from = process.env['FLEXLORA_STORES_FROM'];
  if (from !== undefined && from !== 'docker' && from !== 'path')
    throw new Error(`FLEXLORA_STORES_FROM is ${JSON.stringify(from)}; allowed: docker, path`);

  if (from !== 'path' && options.directory === undefined) {
    try {
      return await startContainer(recipe);
    } catch (error) {
      reasons.push(`through Docker (image ${recipe.image}): ${messageOf(error)}`);
    }
  }
  if (from !== 'docker') {
    const path = findOnPath(recipe.program);
    // A program that is there and does not start is an error to look at, not a reason to skip.
    if (path !== null) return startProgram(recipe, path, options.directory);
    reasons.push(`as a program: there is no ${recipe.program} on PATH`);
  }

  const why = `no ${recipe.name} for tests: ${reasons.join('; ')}. Start Docker, or put ${recipe.program} on PATH`;
  if (isSet('CI') || isSet('FLEXLORA_REQUIRE_STORES'))
    throw new Error(`${why} (CI or FLEXLORA_REQUIRE_STORES is set, so these tests may not be skipped)`);
  console.error(`\n*** SKIPPED: ${why}\n`);
  return { skip: why };
}

/** Named by the environment, so it is not ours to end. */
export function givenService(name: string, port: number): BackingService {
  const refuse = async (): Promise<never> => {
    throw new Error(`${name} was given by the environment and is not ours to kill; start it with { use: 'own' }`);
  };
  return {
    port,
    directory: null,
    kill: refuse,
    pause: refuse,
    resume: refuse,
    restart: refuse,
    stop: async () => {},
  };
}

const isSet = (name: string): boolean => !['', '0', 'false', undefined].includes(process.env[name]);

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
