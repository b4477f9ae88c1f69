import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { bytesOfValues, type FactorSide, factorValues, type RawFactor } from '../../adapter/factor.ts';
import { isRefusal } from '../../refusal.ts';
import type { StrategyName } from '../../round/run-spec.ts';
import { mixFactors } from '../mix-factors.ts';
import type { TermUpdate, WeightedFactor } from '../term.ts';
import { STRATEGIES, type StrategyContext } from './strategy.ts';

const OUT = 4;
const IN = 5;
const NO_PREVIOUS: StrategyContext = { previousRank: 0, serverRate: 1 };

interface Client extends TermUpdate {
  readonly b: RawFactor;
  readonly a: RawFactor;
}

function matrix(rows: number, cols: number, seed: number): RawFactor {
  const values = Float32Array.from({ length: rows * cols }, (_, i) => Math.sin(seed * 12.9898 + i * 78.233));
  return { dtype: 'F32', rows, cols, bytes: bytesOfValues(values) };
}

function client(rank: number, samples: number, scaling: number, seed: number): Client {
  return {
    label: `client-${seed}`,
    samples,
    rank,
    scaling,
    b: matrix(OUT, rank, seed),
    a: matrix(rank, IN, seed + 0.5),
  };
}

/** `coefficient · b[:, :rank] · a[:rank, :]` added to a dense matrix: the oracle's one operation. */
function addProduct(sum: Float64Array, coefficient: number, b: RawFactor, a: RawFactor, rank = b.cols): void {
  const [left, right] = [factorValues(b), factorValues(a)];
  for (let i = 0; i < OUT; i++)
    for (let j = 0; j < rank; j++)
      for (let k = 0; k < IN; k++) sum[i * IN + k]! += coefficient * left[i * b.cols + j]! * right[j * IN + k]!;
}

/** What the aggregator does with a strategy's answer, densely. */
function sumOfTerms(
  name: StrategyName,
  clients: readonly Client[],
  context: StrategyContext = NO_PREVIOUS,
  previous?: { readonly b: RawFactor; readonly a: RawFactor },
): { readonly sum: Float64Array; readonly rankSum: number; readonly terms: number } {
  const terms = STRATEGIES[name](clients, context);
  assert.ok(!isRefusal(terms), isRefusal(terms) ? terms.message : '');
  const sum = new Float64Array(OUT * IN);
  let rankSum = 0;
  const read = (side: FactorSide, { weight, source }: WeightedFactor) => {
    if (source.kind === 'update') return { weight, factor: clients[source.update]![side] };
    return { weight, factor: cut(side, previous![side], source.rank) };
  };
  for (const term of terms) {
    const b = mixFactors(
      'b',
      term.b.map((part) => read('b', part)),
    );
    const a = mixFactors(
      'a',
      term.a.map((part) => read('a', part)),
    );
    assert.ok(!isRefusal(b) && !isRefusal(a));
    assert.equal(b.cols, a.rows, 'both sides of a term have one rank');
    addProduct(sum, term.coefficient, b, a);
    rankSum += b.cols;
  }
  return { sum, rankSum, terms: terms.length };
}

function cut(side: FactorSide, { rows, cols, bytes }: RawFactor, rank: number): RawFactor {
  const values = factorValues({ dtype: 'F32', rows, cols, bytes });
  if (side === 'a') return { dtype: 'F32', rows: rank, cols, bytes: bytesOfValues(values.slice(0, rank * cols)) };
  const kept = Float32Array.from({ length: rows * rank }, (_, i) => values[Math.floor(i / rank) * cols + (i % rank)]!);
  return { dtype: 'F32', rows, cols: rank, bytes: bytesOfValues(kept) };
}

function assertNear(got: Float64Array, want: Float64Array): void {
  const scale = Math.max(1, Math.hypot(...want));
  for (const [i, value] of want.entries())
    assert.ok(Math.abs(got[i]! - value) <= 1e-6 * scale, `entry ${i}: ${got[i]} instead of ${value}`);
}

const clients = fc
  .array(
    fc.record({
      rank: fc.integer({ min: 1, max: 6 }),
      samples: fc.nat(50),
      scaling: fc.double({ min: 0.1, max: 8, noNaN: true }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .filter((list) => list.some(({ samples }) => samples > 0))
  .map((list) => list.map(({ rank, samples, scaling }, i) => client(rank, samples, scaling, i)));
const totalOf = (list: readonly Client[]) => list.reduce((sum, { samples }) => sum + samples, 0);

describe('flexlora', () => {
  it('is the weighted sum of the products, each with its own rank and scaling', () => {
    fc.assert(
      fc.property(clients, (list) => {
        const want = new Float64Array(OUT * IN);
        for (const { samples, scaling, b, a } of list) addProduct(want, (samples / totalOf(list)) * scaling, b, a);
        assertNear(sumOfTerms('flexlora', list).sum, want);
      }),
    );
  });

  it('leaves out clients without samples', () => {
    const list = [client(2, 0, 1, 1), client(3, 5, 2, 2)];
    assert.deepEqual(sumOfTerms('flexlora', list), sumOfTerms('flexlora', list.slice(1)));
  });
});

describe('flexlora-residual', () => {
  const previous = { b: matrix(OUT, 4, 90), a: matrix(4, IN, 91) };

  it('is G + η Σ w_k (s_k B_k A_k − [G]_{r_k}), with one term for all of G', () => {
    fc.assert(
      fc.property(clients, fc.constantFrom(0, 0.25, 1, 1.5), (list, serverRate) => {
        const want = new Float64Array(OUT * IN);
        addProduct(want, 1, previous.b, previous.a);
        for (const { rank, samples, scaling, b, a } of list) {
          const weight = serverRate * (samples / totalOf(list));
          addProduct(want, weight * scaling, b, a);
          addProduct(want, -weight, previous.b, previous.a, Math.min(rank, 4));
        }
        const got = sumOfTerms('flexlora-residual', list, { previousRank: 4, serverRate }, previous);
        assertNear(got.sum, want);
        const products = list.filter(({ samples }) => samples > 0 && serverRate > 0);
        assert.ok(got.rankSum <= 4 + products.reduce((sum, { rank }) => sum + rank, 0));
        assert.ok(got.terms <= products.length + 1);
      }),
    );
  });

  it('is flexlora when nobody is below the rank of G, to the last term', () => {
    const list = [client(4, 3, 1, 1), client(6, 7, 2, 2), client(5, 1, 2, 3)];
    const context = { previousRank: 4, serverRate: 1 };
    assert.deepEqual(STRATEGIES['flexlora-residual'](list, context), STRATEGIES.flexlora(list, context));
  });

  it('keeps what no client could hold: directions above every rank stay as they were', () => {
    // A client of rank 1 that sends back its share of G unchanged.
    const share = { b: cut('b', previous.b, 1), a: cut('a', previous.a, 1) };
    const list: readonly Client[] = [{ label: 'weak', samples: 9, rank: 1, scaling: 1, ...share }];
    const want = new Float64Array(OUT * IN);
    addProduct(want, 1, previous.b, previous.a);
    assertNear(sumOfTerms('flexlora-residual', list, { previousRank: 4, serverRate: 1 }, previous).sum, want);
  });

  it('is G when there are no updates', () => {
    const want = new Float64Array(OUT * IN);
    addProduct(want, 1, previous.b, previous.a);
    assertNear(sumOfTerms('flexlora-residual', [], { previousRank: 4, serverRate: 1 }, previous).sum, want);
  });

  it('refuses a server rate that is not a number from 0', () => {
    for (const serverRate of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.ok(isRefusal(STRATEGIES['flexlora-residual']([client(1, 1, 1, 1)], { previousRank: 4, serverRate })));
    }
  });
});

/** Σ w_k f_k of each side, padded, then multiplied: what both baselines mean. */
function productOfMeans(list: readonly Client[], weightOfB: (client: Client) => number): Float64Array {
  const rank = Math.max(...list.filter(({ samples }) => samples > 0).map((each) => each.rank));
  const b = new Float64Array(OUT * rank);
  const a = new Float64Array(rank * IN);
  for (const each of list) {
    const weight = each.samples / totalOf(list);
    if (weight === 0) continue;
    const [left, right] = [factorValues(each.b), factorValues(each.a)];
    for (let i = 0; i < OUT; i++)
      for (let j = 0; j < each.rank; j++) b[i * rank + j]! += weightOfB(each) * weight * left[i * each.rank + j]!;
    for (let i = 0; i < each.rank * IN; i++) a[i]! += weight * right[i]!;
  }
  const product = new Float64Array(OUT * IN);
  for (let i = 0; i < OUT; i++)
    for (let j = 0; j < rank; j++)
      for (let k = 0; k < IN; k++) product[i * IN + k]! += b[i * rank + j]! * a[j * IN + k]!;
  return product;
}

describe('fedavg', () => {
  it('is the scaling times the product of the averages', () => {
    fc.assert(
      fc.property(clients, (list) => {
        const equal = list.map(({ samples }, i) => client(3, samples, 2, i));
        assertNear(
          sumOfTerms('fedavg', equal).sum,
          productOfMeans(equal, () => 2),
        );
      }),
    );
  });

  it('refuses unequal ranks and unequal scalings, and names what to use', () => {
    const answers = [
      STRATEGIES.fedavg([client(2, 1, 1, 1), client(3, 1, 1, 2)], NO_PREVIOUS),
      STRATEGIES.fedavg([client(2, 1, 1, 1), client(2, 1, 2, 2)], NO_PREVIOUS),
    ];
    for (const [i, words] of [
      /rank of client-2 is 3, of client-1 2; .*use flexlora/,
      /scaling of client-2 is 2, of client-1 1/,
    ].entries()) {
      const answer = answers[i];
      assert.ok(isRefusal(answer));
      assert.match(answer.message, words);
    }
  });

  it('does not ask a client without samples for its rank', () => {
    assert.ok(!isRefusal(STRATEGIES.fedavg([client(2, 1, 1, 1), client(3, 0, 5, 2)], NO_PREVIOUS)));
  });
});

describe('hetlora', () => {
  it('is the product of the averages padded with zeros, each scaling folded into its B', () => {
    fc.assert(
      fc.property(clients, (list) =>
        assertNear(
          sumOfTerms('hetlora', list).sum,
          productOfMeans(list, ({ scaling }) => scaling),
        ),
      ),
    );
  });

  it('is fedavg where ranks and scalings are equal', () => {
    const list = [client(3, 4, 2, 1), client(3, 1, 2, 2)];
    assertNear(sumOfTerms('hetlora', list).sum, sumOfTerms('fedavg', list).sum);
  });
});

describe('every strategy', () => {
  const names = Object.keys(STRATEGIES) as StrategyName[];

  for (const name of names) {
    it(`${name}: gives one client back as it is`, () => {
      const list = [client(3, 7, 2.5, 1)];
      const want = new Float64Array(OUT * IN);
      addProduct(want, 2.5, list[0]!.b, list[0]!.a);
      assertNear(sumOfTerms(name, list).sum, want);
    });

    it(`${name}: gives the empty sum for no updates, and refuses updates that all have no samples`, () => {
      assert.deepEqual(STRATEGIES[name]([], NO_PREVIOUS), []);
      const answer = STRATEGIES[name]([client(2, 0, 1, 1), client(2, 0, 1, 2)], NO_PREVIOUS);
      assert.ok(isRefusal(answer));
      assert.match(answer.message, /all 2 updates have 0 samples/);
    });

    it(`${name}: refuses samples that are not a natural number, and names the update`, () => {
      for (const samples of [-1, 0.5, Number.NaN, 2 ** 53]) {
        const answer = STRATEGIES[name]([client(2, samples, 1, 8)], NO_PREVIOUS);
        assert.ok(isRefusal(answer));
        assert.match(answer.message, /samples of client-8 are/);
      }
    });

    it(`${name}: refuses a scaling that is not finite`, () => {
      assert.ok(isRefusal(STRATEGIES[name]([client(2, 1, Number.NaN, 1)], NO_PREVIOUS)));
    });
  }
});

describe('mixFactors', () => {
  it('passes one factor of weight 1 through, whatever its dtype, and mixes all else to F32', () => {
    const factor: RawFactor = { dtype: 'BF16', rows: 1, cols: 2, bytes: Uint8Array.of(0x80, 0x3f, 0, 0x40) };
    assert.equal(mixFactors('b', [{ weight: 1, factor }]), factor);
    const half = mixFactors('b', [{ weight: 0.5, factor }]);
    assert.ok(!isRefusal(half));
    assert.deepEqual({ dtype: half.dtype, values: [...factorValues(half)] }, { dtype: 'F32', values: [0.5, 1] });
  });

  it('refuses factors of different long sides, and none', () => {
    assert.ok(
      isRefusal(
        mixFactors('b', [
          { weight: 1, factor: matrix(4, 2, 1) },
          { weight: 1, factor: matrix(5, 2, 1) },
        ]),
      ),
    );
    assert.ok(isRefusal(mixFactors('a', [])));
  });
});
