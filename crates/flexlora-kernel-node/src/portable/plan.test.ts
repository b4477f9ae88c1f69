import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cost } from './cost.ts';
import { type PlanShape, PORTABLE_METHODS, type PortablePlan, plan, planOf } from './plan.ts';

const GIB = 2 ** 30;

function chosen(shape: PlanShape, memoryBytes = 2 * GIB): PortablePlan {
  const planned = plan(shape, null, memoryBytes);
  assert.ok(planned.kind === 'planned', `${planned.kind} at ${JSON.stringify(shape)}`);
  return planned.plan;
}

const square = (side: number, rankSum: number, rank: number): PlanShape => ({ out: side, in: side, rankSum, rank });

test('few ranks are stacked, and whatever is large is accumulated', () => {
  for (const [shape, method] of [
    [square(16, 8, 4), 'stacked'],
    [square(32, 8, 8), 'stacked'],
    [square(64, 16, 16), 'stacked'],
    [square(128, 32, 16), 'accumulated'],
    [square(768, 212, 64), 'accumulated'],
    [square(4096, 220, 64), 'accumulated'],
    [square(4096, 20_000, 64), 'accumulated'],
    [{ out: 11_008, in: 4096, rankSum: 1040, rank: 200 }, 'accumulated'],
  ] as const)
    assert.equal(chosen(shape).method, method, JSON.stringify(shape));
});

test('the fastest that applies and fits is taken; one that is asked for is taken or refused', () => {
  const shapes = fc.record({
    out: fc.integer({ min: 1, max: 5000 }),
    in: fc.integer({ min: 1, max: 5000 }),
    rankSum: fc.nat(6000),
    rank: fc.integer({ min: 1, max: 300 }),
  });
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 4 * GIB }), (drawn, memoryBytes) => {
      const shape = { ...drawn, rank: Math.min(drawn.rank, drawn.out, drawn.in) };
      const isStackable = shape.rankSum < Math.min(shape.out, shape.in);
      const able = PORTABLE_METHODS.filter((method) => method !== 'stacked' || isStackable).map((m) =>
        planOf(m, shape),
      );
      const fitting = able.filter(({ scratchBytes }) => scratchBytes <= memoryBytes);
      const planned = plan(shape, null, memoryBytes);
      if (planned.kind === 'planned') {
        assert.ok(planned.plan.scratchBytes <= memoryBytes);
        assert.equal(planned.plan.seconds, Math.min(...fitting.map(({ seconds }) => seconds)));
      } else {
        assert.equal(planned.kind, 'tooLarge');
        assert.equal(fitting.length, 0);
      }
      for (const method of PORTABLE_METHODS) {
        const own = plan(shape, method, memoryBytes);
        if (own.kind === 'planned') assert.equal(own.plan.method, method);
        assert.equal(own.kind === 'doesNotApply', method === 'stacked' && !isStackable);
      }
    }),
  );
});

test('what does not fit gives way to what does, and to a refusal', () => {
  const shape = square(3000, 200, 16);
  const bytesOf = (method: 'stacked' | 'accumulated' | 'dense') => planOf(method, shape).scratchBytes;
  assert.equal(chosen(shape).method, 'accumulated');
  assert.ok(bytesOf('stacked') < bytesOf('accumulated'));
  assert.equal(chosen(shape, bytesOf('stacked')).method, 'stacked');
  const refused = plan(shape, null, bytesOf('stacked') - 1);
  assert.deepEqual(refused, { kind: 'tooLarge', method: 'stacked', scratchBytes: bytesOf('stacked') });
});

test('no memory that is allowed takes the iteration beyond what 32 bits address', () => {
  const shape = square(30_000, 30_000, 64);
  assert.equal(plan(shape, 'accumulated', 2 ** 50).kind, 'tooLarge');
});

test('more blocks, ranks and rows cost more', () => {
  const least = cost('accumulated', square(500, 600, 8), 4);
  for (const more of [
    cost('accumulated', square(500, 600, 8), 5),
    cost('accumulated', square(500, 601, 8), 4),
    cost('accumulated', { out: 501, in: 500, rankSum: 600, rank: 8 }, 4),
  ]) {
    assert.ok(more.operations > least.operations && more.seconds > least.seconds);
    assert.ok(more.scratchBytes >= least.scratchBytes);
  }
});
