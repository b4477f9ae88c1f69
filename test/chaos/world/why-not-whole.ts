import type { Fleet, Service } from './fleet.ts';
import type { RunWatch } from './run-watch.ts';

const READY_MS_MAX = 2_000;

/**
 * In a sentence; null when every process says that it is ready, every orchestrator answers for the run, and one of them holds it. Nothing
 * is said of the processes in `except`.
 */
export async function whyNotWhole(
  { doors, orchestrators, aggregators, agents }: Fleet,
  watch: RunWatch,
  except: ReadonlySet<string>,
): Promise<string | null> {
  const services = [...orchestrators, ...aggregators, ...agents].filter(({ name }) => !except.has(name));
  const reasons = await Promise.all(services.map((service) => whyNotReady(service, watch)));
  const answering = await watch.answering();
  for (const { name } of doors)
    if (!answering.includes(name) && !except.has(name)) reasons.push(`${name} does not answer for the run`);
  if (watch.leaseHolder() === null && !watch.isSettled()) reasons.push('nobody holds the run');
  const wrong = reasons.filter((reason) => reason !== null);
  return wrong.length === 0 ? null : wrong.join('; ');
}

async function whyNotReady({ name, statusPort, pid }: Service, watch: RunWatch): Promise<string | null> {
  // An agent whose run has ended has ended too.
  if (pid() === null) return watch.heardTheEnd(name) ? null : `${name} does not run`;
  try {
    const signal = AbortSignal.timeout(READY_MS_MAX);
    const answer = await fetch(`http://127.0.0.1:${statusPort}/readyz`, { signal });
    return answer.ok ? null : `${name} is not ready: ${(await answer.text()).trim()}`;
  } catch {
    return `${name} does not answer`;
  }
}
