import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  PROBE_MEASUREMENTS_MAX,
  PROFILE_BYTES_MAX,
  PROFILE_STEP_SECONDS_MAX,
  RANK_MAX,
  UPDATE_SAMPLES_MAX,
} from '../limits.ts';
import { exampleProfile } from '../round/example-run.ts';
import type { ProbeMeasurement, ResourceProfile } from './resource-profile.ts';
import { validateProfile } from './validate-profile.ts';

const good = exampleProfile(8);
const first = (change: Partial<ProbeMeasurement>): Partial<ResourceProfile> => ({
  measurements: [{ ...good.measurements[0]!, ...change }, good.measurements[1]!],
});
const probes = (count: number): Partial<ResourceProfile> => ({
  measurements: Array.from({ length: count }, (_, i) => ({ rank: i + 1, memoryBytes: 1, stepSeconds: 1 })),
});

const BOUNDS: readonly (readonly [field: string, bound: Partial<ResourceProfile>, past: Partial<ResourceProfile>])[] = [
  ['memory_bytes_max', { memoryBytesMax: 1 }, { memoryBytesMax: 0 }],
  ['memory_bytes_max', { memoryBytesMax: PROFILE_BYTES_MAX }, { memoryBytesMax: PROFILE_BYTES_MAX + 1 }],
  ['uplink_bytes_per_second', { uplinkBytesPerSecond: 0.5 }, { uplinkBytesPerSecond: 0 }],
  [
    'uplink_bytes_per_second',
    { uplinkBytesPerSecond: PROFILE_BYTES_MAX },
    { uplinkBytesPerSecond: Number.POSITIVE_INFINITY },
  ],
  ['samples', { samples: 1 }, { samples: 0 }],
  ['samples', { samples: UPDATE_SAMPLES_MAX }, { samples: UPDATE_SAMPLES_MAX + 1 }],
  ['measurements', probes(2), probes(1)],
  ['measurements', probes(PROBE_MEASUREMENTS_MAX), probes(PROBE_MEASUREMENTS_MAX + 1)],
  ['measurements', first({ rank: 4 }), first({ rank: good.measurements[1]!.rank })],
  ['measurements[0].rank', first({ rank: 1 }), first({ rank: 0 })],
  ['measurements[0].rank', first({ rank: RANK_MAX }), first({ rank: RANK_MAX + 1 })],
  ['measurements[0].memory_bytes', first({ memoryBytes: 0 }), first({ memoryBytes: -1 })],
  [
    'measurements[0].memory_bytes',
    first({ memoryBytes: PROFILE_BYTES_MAX }),
    first({ memoryBytes: PROFILE_BYTES_MAX + 1 }),
  ],
  ['measurements[0].step_seconds', first({ stepSeconds: 1e-9 }), first({ stepSeconds: 0 })],
  [
    'measurements[0].step_seconds',
    first({ stepSeconds: PROFILE_STEP_SECONDS_MAX }),
    first({ stepSeconds: PROFILE_STEP_SECONDS_MAX + 1 }),
  ],
  ['measurements[0].step_seconds', first({ stepSeconds: 1 }), first({ stepSeconds: Number.NaN })],
];

for (const [field, bound, past] of BOUNDS) {
  test(`profile.${field}: the bound is taken, one past it is refused`, () => {
    assert.equal(validateProfile({ ...good, ...bound }), null);
    const refusal = validateProfile({ ...good, ...past });
    assert.equal(refusal?.reason, 'badProfile');
    assert.ok(
      refusal.message.startsWith(`profile.${field} is `) && refusal.message.includes('allowed: '),
      refusal.message,
    );
  });
}
