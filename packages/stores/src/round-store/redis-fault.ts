import { RoundStoreFault } from './port.ts';

/** What to do about an error, by how its message begins or what it contains; the first that fits. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/^OOM/, 'Redis has reached maxmemory: give it more memory, or delete what is not the platform’s'],
  [/^READONLY/, 'this Redis is a replica: point the URL at the primary, and wait for a failover to end'],
  [/^MISCONF/, 'Redis cannot write its files: look at its disk and log'],
  [/^LOADING/, 'Redis is loading its data: wait'],
  [/^BUSY\b/, 'a script has held Redis for seconds: look at its slow log'],
  [/^MASTERDOWN/, 'this replica has lost its primary: point the URL at the primary'],
  [/^(NOAUTH|WRONGPASS)/, 'check user and password in the Redis URL'],
  [/^NOPERM/, 'allow this user EVAL, EVALSHA, SUBSCRIBE, INFO and all commands on keys and channels flexlora:*'],
  [/unknown command/i, 'use Redis 7.0 or later, or Valkey'],
  [
    /timed out/i,
    'whether it was done is unknown: read before you repeat it; look at the load of Redis and at the network',
  ],
  [
    /max retries per request|connection is closed|aborted|ECONNRESET|EPIPE/i,
    'the connection was lost before the answer came, so whether it was done is unknown: read before you repeat it',
  ],
  [
    /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ETIMEDOUT/,
    'check that Redis runs, the host and port of the URL, and network policies',
  ],
];

/** A fault that says what was being done, what Redis or the connection said, and what to do. */
export function redisFault(doing: string, error: unknown): RoundStoreFault {
  const said = error instanceof Error ? error.message || error.name : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const advice = ADVICE.find(([pattern]) => pattern.test(said) || pattern.test(code))?.[1];
  return new RoundStoreFault(`Redis did not ${doing}: ${said}; ${advice ?? 'look at the log of Redis'}`, {
    cause: error,
  });
}
