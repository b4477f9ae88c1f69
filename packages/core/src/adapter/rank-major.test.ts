import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isRefusal } from '../refusal.ts';
import type { SvdSplit } from '../round/run-spec.ts';
import type { AdapterFactors } from './adapter-factors.ts';
import { prefixBytes } from './adapter-layout.ts';
import { factorsFromComponents as factorsOrRefusal } from './factors-from-components.ts';
import { factorsFromRankMajor } from './factors-from-rank-major.ts';
import { encodePeftFile } from './peft-file.ts';
import { encodeComponent, encodeRankMajor, type ModuleComponents } from './rank-major.ts';
import type { UpdateEntries } from './update-header.ts';
import { createUpdateValidator } from './update-validator.ts';

/** Components with orthonormal rows (a rotation of unit vectors is enough here) and the last `zeros` of them absent from W. */
function componentsOf(out: number, columns: number, rank: number, zeros: number, seed: number): ModuleComponents {
  const u = unitRows(rank, out, seed);
  const v = unitRows(rank, columns, seed + 1);
  const singularValues = Float64Array.from({ length: rank }, (_, j) =>
    j < rank - zeros ? 10 / (1 + j + (seed % 3)) : 0,
  );
  for (let j = rank - zeros; j < rank; j++) u.fill(0, j * out, (j + 1) * out);
  return { out, in: columns, rank, u, singularValues, v };
}

/** The first rows of a Householder reflection: orthonormal and dense. */
function unitRows(rows: number, cols: number, seed: number): Float32Array {
  const w = Float64Array.from({ length: cols }, (_, i) => Math.sin(1 + seed + i * 1.7));
  const squared = w.reduce((sum, x) => sum + x * x, 0);
  return Float32Array.from({ length: rows * cols }, (_, k) => {
    const [i, j] = [Math.floor(k / cols), k % cols];
    return (i === j ? 1 : 0) - (2 * w[i]! * w[j]!) / squared;
  });
}

const named = (module: ModuleComponents) => ({ ...module, name: 'layer' });

function factorsFromComponents(module: ModuleComponents, scaling: number, split: SvdSplit): AdapterFactors {
  const factors = factorsOrRefusal(named(module), scaling, split);
  assert.ok(!isRefusal(factors), isRefusal(factors) ? factors.message : '');
  return factors;
}

const concat = (chunks: Iterable<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat([...chunks]));

function assertProduct(module: ModuleComponents, factors: AdapterFactors, scaling: number): void {
  for (let i = 0; i < module.out; i++) {
    for (let k = 0; k < module.in; k++) {
      let want = 0;
      let got = 0;
      for (let j = 0; j < factors.rank; j++) {
        want += module.singularValues[j]! * module.u[j * module.out + i]! * module.v[j * module.in + k]!;
        got += scaling * factors.b[i * factors.rank + j]! * factors.a[j * module.in + k]!;
      }
      assert.ok(Math.abs(want - got) <= 1e-5, `entry ${i},${k}: ${got} instead of ${want}`);
    }
  }
}

const splits = fc.constantFrom<SvdSplit>('b', 'a', 'even');
const moduleArb = fc
  .record({
    out: fc.integer({ min: 2, max: 9 }),
    columns: fc.integer({ min: 2, max: 9 }),
    rank: fc.nat(8),
    zeros: fc.nat(3),
    seed: fc.nat(1000),
  })
  .map(({ out, columns, rank, zeros, seed }) => {
    const kept = 1 + (rank % Math.min(out, columns));
    return componentsOf(out, columns, kept, Math.min(zeros, kept), seed);
  });

describe('a rank-major object', () => {
  it('gives every module, at any rank and scaling and split, the sum of its first components', () => {
    const wanted = fc.record({ rank: fc.nat(), scaling: fc.double({ min: 0.05, max: 20, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(fc.tuple(moduleArb, wanted), { minLength: 1, maxLength: 4 }), splits, (pairs, split) => {
        const modules = pairs.map(([module]) => module);
        const wishes = pairs.map(([module, { rank, scaling }]) => ({ rank: 1 + (rank % module.rank), scaling }));
        const object = concat(encodeRankMajor(modules));
        const prefix = object.subarray(0, prefixBytes(modules, Math.max(...wishes.map(({ rank }) => rank))));
        const factors = factorsFromRankMajor(prefix, modules.map(named), wishes, split);
        assert.ok(!isRefusal(factors), isRefusal(factors) ? factors.message : '');
        for (const [m, module] of modules.entries()) assertProduct(module, factors[m]!, wishes[m]!.scaling);
      }),
    );
  });

  it('reads a prefix at an odd address', () => {
    const module = componentsOf(4, 5, 3, 0, 7);
    const object = concat(encodeRankMajor([module]));
    const odd = new Uint8Array(object.byteLength + 1).subarray(1);
    odd.set(object);
    const factors = factorsFromRankMajor(odd, [named(module)], [{ rank: 3, scaling: 1 }], 'b');
    assert.ok(!isRefusal(factors));
    assertProduct(module, factors[0]!, 1);
  });

  it('keeps components that W does not have trainable under every split: a zero column of B, a unit row of A', () => {
    const module = componentsOf(5, 6, 4, 2, 3);
    for (const split of ['b', 'a', 'even'] as const) {
      const read = factorsFromRankMajor(
        concat(encodeRankMajor([module])),
        [named(module)],
        [{ rank: 4, scaling: 2 }],
        split,
      );
      assert.ok(!isRefusal(read));
      for (const factors of [read[0]!, factorsFromComponents(module, 2, split)]) {
        for (const j of [2, 3]) {
          for (let i = 0; i < 5; i++) assert.equal(factors.b[i * 4 + j], 0);
          const row = factors.a.subarray(j * 6, (j + 1) * 6);
          assert.ok(Math.abs(Math.hypot(...row) - 1) < 1e-6, `row ${j} of A under ${split}`);
        }
      }
    }
  });

  it('puts Σ where the split says', () => {
    const module = componentsOf(5, 6, 3, 0, 3);
    const lengths = (split: SvdSplit) => {
      const { b, a } = factorsFromComponents(module, 2, split);
      return { b: Math.hypot(...[0, 1, 2, 3, 4].map((i) => b[i * 3]!)), a: Math.hypot(...a.subarray(0, 6)) };
    };
    const strength = module.singularValues[0]! / 2;
    const near = (got: number, want: number) => assert.ok(Math.abs(got - want) < 1e-5, `${got} instead of ${want}`);
    near(lengths('b').b, strength);
    near(lengths('b').a, 1);
    near(lengths('a').b, 1);
    near(lengths('a').a, strength);
    near(lengths('even').b, Math.sqrt(strength));
    near(lengths('even').a, Math.sqrt(strength));
  });

  it('is refused where it is too short, or more is wanted than it has', () => {
    const module = componentsOf(4, 5, 3, 0, 7);
    const object = concat(encodeRankMajor([module]));
    const refusal = (bytes: Uint8Array, rank: number, scaling: number) => {
      const answer = factorsFromRankMajor(bytes, [named(module)], [{ rank, scaling }], 'b');
      assert.ok(isRefusal(answer));
      return answer.message;
    };
    assert.match(refusal(object.subarray(1), 3, 1), /has 107 bytes; rank 3 needs 108/);
    assert.match(refusal(object, 4, 1), /rank 4 .* allows 1 to 3/);
    assert.match(refusal(object, 0, 1), /rank 0 /);
    assert.match(refusal(object, 1, 0), /scaling .* is 0/);
  });
});

describe('a sum that diverged', () => {
  const module = componentsOf(4, 5, 3, 0, 7);
  const diverged = { ...module, singularValues: Float64Array.of(1e40, 1, 1) };
  const object = concat(encodeRankMajor([module]));

  it('is not encoded: it gave an object with infinities', () => {
    assert.throws(
      () => encodeComponent([module, diverged], 0),
      /module number 1: an update diverged: singular value 0/,
    );
  });

  it('is refused where it lies in an object already: it gave factors of NaN', () => {
    const infinite = object.slice();
    new DataView(infinite.buffer).setFloat32(0, Number.POSITIVE_INFINITY, true);
    const answer = factorsFromRankMajor(infinite, [named(module)], [{ rank: 2, scaling: 1 }], 'even');
    assert.ok(isRefusal(answer));
    assert.match(answer.message, /^module layer: an update diverged: singular value 0 of the sum is Infinity/);
  });

  it('is refused where an agent’s scaling takes the factors out of f32', () => {
    const answer = factorsFromRankMajor(object, [named(module)], [{ rank: 3, scaling: 1e-45 }], 'b');
    assert.ok(isRefusal(answer));
    assert.match(answer.message, /^module layer: its factors do not fit f32/);
  });
});

describe('factorsFromComponents', () => {
  const module = { ...componentsOf(4, 5, 3, 1, 7), name: 'layer.q' };

  it('refuses, by the name of the module, a scaling that takes the factors out of f32', () => {
    for (const split of ['b', 'a', 'even'] as const) {
      for (const scaling of [1e-300, 1e300, 1e308]) {
        const answer = factorsOrRefusal(module, scaling, split);
        assert.ok(isRefusal(answer), `${split} at ${scaling}`);
        assert.match(answer.message, /^module layer\.q: its factors do not fit f32: .* set alpha nearer to the rank/);
      }
    }
    for (const scaling of [1e-45, 1e45]) assert.ok(isRefusal(factorsOrRefusal(module, scaling, 'b')));
  });

  it('refuses a singular value that f32 does not hold', () => {
    const answer = factorsOrRefusal({ ...module, singularValues: Float64Array.of(1e40, 1, 0) }, 1, 'b');
    assert.ok(isRefusal(answer));
    assert.match(answer.message, /^module layer\.q: an update diverged: singular value 0 of the sum is 1e\+40/);
  });

  it('takes a small component beside a large one: what it loses is below the rounding of the large one', () => {
    const small = { ...module, singularValues: Float64Array.of(1, 1e-41, 0) };
    assert.ok(!isRefusal(factorsOrRefusal(small, 1, 'b')));
  });
});

describe('encodePeftFile', () => {
  it('writes a file that the update validator takes, with the factors in their places and not copied', () => {
    const modules = [componentsOf(4, 5, 2, 0, 1), componentsOf(3, 6, 3, 1, 2)];
    const factors = modules.map((module) => factorsFromComponents(module, 1, 'b'));
    const named = modules.map(({ out, in: columns, rank }, i) => ({ name: `layer.${1 - i}`, out, in: columns, rank }));
    const chunks = [...encodePeftFile(named, factors)];
    assert.ok(
      chunks
        .slice(1)
        .every((chunk) => factors.some(({ a, b }) => [a.buffer, b.buffer].includes(chunk.buffer as ArrayBuffer))),
    );
    const file = concat(chunks);
    const validator = createUpdateValidator({ kind: 'anyAdapter' });
    assert.equal(validator.push(file), null);
    const update = validator.end();
    assert.ok(!isRefusal(update), isRefusal(update) ? update.message : '');
    for (const [i, { name }] of named.entries()) {
      const entries: UpdateEntries = update.modules;
      const found = [...entries.values()].find((module) => module.name === name)!;
      const bytes = file.slice(found.b.begin, found.b.end);
      assert.deepEqual(new Float32Array(bytes.buffer), factors[i]!.b);
      assert.deepEqual(new Float32Array(file.slice(found.a.begin, found.a.end).buffer), factors[i]!.a);
    }
  });
});
