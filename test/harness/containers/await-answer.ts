import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceRecipe } from './backing-service.ts';

const ANSWER_WAIT_MS = 60_000;
const POLL_MS = 50;

/** Resolves when the server answers; rejects after a minute, or as soon as `diedWhy` says that there is no server any more. */
export async function awaitAnswer(
  recipe: ServiceRecipe,
  port: number,
  diedWhy: () => string | null = () => null,
): Promise<void> {
  for (const until = Date.now() + ANSWER_WAIT_MS; Date.now() < until; await delay(POLL_MS)) {
    const why = diedWhy();
    if (why !== null) throw new Error(`${recipe.name} ended before it answered: ${why}`);
    if (await recipe.answers(port)) return;
  }
  throw new Error(`${recipe.name} did not answer on port ${port} within ${ANSWER_WAIT_MS} ms`);
}
