/** What a Redis' configuration means for the platform. A fault: it may lose what was acknowledged. A warning: it loses it when it stops. */
export interface RedisConcerns {
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

const MAJOR_VERSION_MIN = 7;

/** Reads the answer of INFO: unlike CONFIG, managed services let every user ask for it. */
export function redisConcerns(info: string): RedisConcerns {
  const fields = new Map(
    info.split(/\r?\n/).flatMap((line) => {
      const colon = line.indexOf(':');
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const];
    }),
  );
  const faults: string[] = [];
  const warnings: string[] = [];

  const role = fields.get('role');
  if (role !== 'master')
    faults.push(`its role is ${role ?? 'unknown'}; allowed: master; point the URL at the primary, not at a replica`);

  // Valkey says the version of Redis that it is compatible with.
  const version = fields.get('redis_version') ?? 'unknown';
  if (!(Number.parseInt(version, 10) >= MAJOR_VERSION_MIN))
    faults.push(`its version is ${version}; allowed: Redis ${MAJOR_VERSION_MIN}.0 or later, or Valkey; upgrade it`);

  const policy = fields.get('maxmemory_policy') ?? 'unknown';
  if (policy !== 'noeviction')
    faults.push(
      `its maxmemory-policy is ${policy}, which deletes leases, replies or state when memory runs short; allowed: noeviction; set "maxmemory-policy noeviction"`,
    );

  if (fields.get('aof_enabled') !== '1')
    warnings.push(
      'Redis has appendonly off: when it stops, rounds in progress are lost and start again from the last published adapter; set "appendonly yes"',
    );
  return { faults, warnings };
}
