import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lostProduct, productOfQuantised, quantiseProduct } from './quantise-product.ts';
import { innerProduct, type ThinProduct, thinProduct } from './thin-product.ts';

const [OUT, IN, RANK, ROUNDS] = [40, 60, 4, 16];
const seed = Number(process.env['SEED'] ?? 1);
console.log(`SEED=${seed}`);

/** Numbers between −1 and 1 (mulberry32). */
function createNoise(): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), state | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

function noiseProduct(noise: () => number, rank = RANK): ThinProduct {
  const of = (count: number): number[] => Array.from({ length: count }, noise);
  return thinProduct(of(OUT * rank), of(rank * IN), rank);
}

/** The same product in another basis, as each round's singular value decomposition hands out another. */
function turned({ b, a }: ThinProduct, noise: () => number): ThinProduct {
  const turnedB = b.map((vector) => Float64Array.from(vector));
  const turnedA = a.map((vector) => Float64Array.from(vector));
  for (let i = 0; i < RANK; i++) {
    for (let j = 0; j < i; j++) {
      const angle = Math.PI * noise();
      for (const vectors of [turnedB, turnedA]) turn(vectors[i]!, vectors[j]!, angle);
    }
  }
  return { b: turnedB, a: turnedA };
}

function turn(x: Float64Array, y: Float64Array, angle: number): void {
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
  for (const i of x.keys()) [x[i], y[i]] = [cosine * x[i]! - sine * y[i]!, sine * x[i]! + cosine * y[i]!];
}

const minus = (x: ThinProduct, y: ThinProduct): ThinProduct => lostProduct(x, y, 1);
const relative = (x: ThinProduct, to: ThinProduct): number => Math.sqrt(innerProduct(x, x) / innerProduct(to, to));

/** How far the mean of what was sent in so many rounds is from what was meant in each, with what was lost fed back or not. */
function errorOfMean(basisOf: (base: ThinProduct, noise: () => number) => ThinProduct, feedsBack: boolean): number {
  const noise = createNoise();
  const base = noiseProduct(noise);
  let lost: ThinProduct | null = null;
  const sum: { b: Float64Array[]; a: Float64Array[] } = { b: [], a: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const { sent, meant } = quantiseProduct(basisOf(base, noise), lost, 'free')!;
    const product = productOfQuantised(sent);
    if (feedsBack) lost = lostProduct(meant, product, 1);
    sum.b.push(...product.b.map((vector) => vector.map((value) => value / ROUNDS)));
    sum.a.push(...product.a);
  }
  return relative(minus(base, sum), base);
}

test('over rounds of one update the mean of what is sent comes closer to it with feedback than without', () => {
  for (const basisOf of [(base: ThinProduct) => base, turned]) {
    const [without, fed] = [errorOfMean(basisOf, false), errorOfMean(basisOf, true)];
    assert.ok(fed < without / 3, `${fed} with feedback, ${without} without`);
  }
});

test('the error that is told is that of the products, entry by entry', () => {
  const trained = noiseProduct(createNoise());
  const { sent, errorEnergy, energy } = quantiseProduct(trained, null, 'free')!;
  const product = productOfQuantised(sent);
  let [sum, all] = [0, 0];
  for (let i = 0; i < OUT; i++) {
    for (let k = 0; k < IN; k++) {
      const entryOf = ({ b, a }: ThinProduct): number =>
        b.reduce((total, column, j) => total + column[i]! * a[j]![k]!, 0);
      sum += (entryOf(trained) - entryOf(product)) ** 2;
      all += entryOf(trained) ** 2;
    }
  }
  assert.ok(Math.abs(errorEnergy / sum - 1) < 1e-6 && Math.abs(energy / all - 1) < 1e-9);
  assert.ok(Math.sqrt(errorEnergy / energy) < 0.02);
});

test('what was lost at another rank and another scaling is fed back', () => {
  const noise = createNoise();
  const before = noiseProduct(noise, 7);
  const first = quantiseProduct(before, null, 'free')!;
  const lost = lostProduct(first.meant, productOfQuantised(first.sent), 0.5);
  assert.equal(lost.b.length, 14);
  // The same columns in half the size and more: what was lost lies in what these factors span.
  const now: ThinProduct = { b: before.b.map((vector) => vector.map((value) => value / 2)), a: before.a };
  const second = quantiseProduct(now, lost, 'free')!;
  const target = { b: [...now.b, ...lost.b], a: [...now.a, ...lost.a] };
  const missed = minus(target, second.meant);
  assert.ok(relative(missed, lost) < 0.05, 'nearly all of it is meant');
});

test('rows of zeros, a factor of zeros, and rows that repeat are sent, and stay finite', () => {
  const { b, a } = noiseProduct(createNoise());
  const zero = (vector: Float64Array): Float64Array => vector.map(() => 0);
  const lost = noiseProduct(createNoise(), 2);
  const trained: readonly ThinProduct[] = [
    { b, a: [a[0]!, zero(a[1]!), a[2]!, a[0]!] },
    { b: b.map(zero), a },
    { b, a: a.map(zero) },
  ];
  for (const product of trained) {
    for (const fed of [null, lost]) {
      const { sent, meant } = quantiseProduct(product, fed, 'free')!;
      assert.ok([...sent.b.scales, ...sent.a.scales].every(Number.isFinite));
      assert.ok(Number.isFinite(innerProduct(meant, meant)));
    }
  }
});

test('what would not be finite with feedback is sent without it', () => {
  const trained = noiseProduct(createNoise());
  const { b, a } = noiseProduct(createNoise(), 2);
  const endless = { b: b.map((vector) => vector.map(() => Number.POSITIVE_INFINITY)), a };
  const { sent, meant } = quantiseProduct(trained, endless, 'kept')!;
  assert.deepEqual(meant, trained);
  assert.ok(relative(minus(trained, productOfQuantised(sent)), trained) < 0.02);
  assert.equal(quantiseProduct({ b: endless.b, a: trained.a }, null, 'free'), null);
});

test('what rounding loses is far below what is not fed back, also of a product that shrinks to a tenth', () => {
  const base = noiseProduct(createNoise());
  const { sent, meant } = quantiseProduct(base, null, 'free')!;
  const lost = lostProduct(meant, productOfQuantised(sent), 1);
  assert.ok(relative(lost, base) < 0.01, String(relative(lost, base)));
  const shrunk = { b: base.b.map((column) => column.map((value) => value / 10)), a: base.a };
  assert.ok(relative(lost, shrunk) < 0.1, String(relative(lost, shrunk)));
  assert.notDeepEqual(quantiseProduct(shrunk, lost, 'free')!.sent, quantiseProduct(shrunk, null, 'free')!.sent);
});

test('what rounding cannot have lost is not fed back', () => {
  const noise = createNoise();
  const trained = noiseProduct(noise);
  const plain = quantiseProduct(trained, null, 'free')!;
  // As of an adapter that diverged and was rolled back.
  const { b, a } = noiseProduct(noise, 2);
  const diverged = { b: b.map((column) => column.map((value) => 100 * value)), a };
  assert.deepEqual(quantiseProduct(trained, diverged, 'free')!.sent, plain.sent);
  const rounded = { b: b.map((column) => column.map((value) => 0.01 * value)), a };
  assert.notDeepEqual(quantiseProduct(trained, rounded, 'free')!.sent, plain.sent);
});

test('weak directions survive where the factors may change, and keep their places where not', () => {
  const noise = createNoise();
  const { b, a } = noiseProduct(noise, 6);
  // As a singular value decomposition with Σ in B hands them out.
  const decaying = { b: b.map((column, k) => column.map((value) => 0.3 ** k * value)), a };
  const directionOf = ({ b: columns, a: rows }: ThinProduct, k: number): ThinProduct => ({
    b: [columns[k]!],
    a: [rows[k]!],
  });
  const weakest = directionOf(decaying, 5);
  const errorOf = (basis: 'free' | 'kept'): number => {
    const sent = productOfQuantised(quantiseProduct(decaying, null, basis)!.sent);
    return relative(minus(weakest, directionOf(sent, 5)), weakest);
  };
  assert.ok(
    errorOf('free') < 0.2 && errorOf('free') < errorOf('kept') / 3,
    `${errorOf('free')}, ${errorOf('kept')} kept`,
  );
  const { sent } = quantiseProduct(decaying, null, 'kept')!;
  const [first] = productOfQuantised(sent).a;
  assert.ok(relative({ b: [b[0]!], a: [minusOf(first!, a[0]!)] }, { b: [b[0]!], a: [a[0]!] }) < 0.02);
});

const minusOf = (x: Float64Array, y: Float64Array): Float64Array => x.map((value, i) => value - y[i]!);
