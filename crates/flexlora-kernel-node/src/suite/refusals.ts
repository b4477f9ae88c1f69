import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Kernel, KernelError, type KernelErrorCode, type TruncateRequest } from '../kernel.ts';
import { createDraw, requestOf, type SampleRequest, sampleFactor, sampleTerm, termOf } from './samples.ts';

function request(): SampleRequest {
  const draw = createDraw(1);
  const terms = ['agent-1', 'agent-7'].map((label) =>
    sampleTerm(draw, { out: 5, in: 4, rank: 3, coefficient: 1, label }),
  );
  return requestOf(5, 4, 2, terms);
}

/** The same request with fields of its second term replaced. */
function spoilt(change: Partial<SampleRequest['terms'][number]>): TruncateRequest {
  const good = request();
  return { ...good, terms: [good.terms[0]!, { ...good.terms[1]!, ...change }] };
}

export function refusalCases(kernel: () => Kernel): void {
  const assertRefused = async (
    bad: TruncateRequest,
    code: KernelErrorCode,
    ...parts: readonly string[]
  ): Promise<void> => {
    const error = await kernel()
      .truncate(bad)
      .then(
        () => assert.fail(`accepted, but ${code} was expected (${parts.join(', ')})`),
        (reason: unknown) => reason,
      );
    assert.ok(error instanceof KernelError, String(error));
    assert.equal(error.code, code, error.message);
    for (const part of ['layers.0.self_attn.q_proj', ...parts])
      assert.ok(error.message.includes(part), `${part} in: ${error.message}`);
  };

  test('values that are not finite are named by module, term, factor and index', async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const b = sampleFactor('F32', 5, 3, (i) => (i === 7 ? bad : 0.5));
      const a = sampleFactor('F32', 3, 4, (i) => (i === 11 ? bad : 0.5));
      const { a: goodA, b: goodB } = request().terms[1]!;
      await assertRefused(spoilt({ b: b.factor, a: goodA }), 'notFinite', 'agent-7', 'lora_B[2, 1]');
      await assertRefused(spoilt({ a: a.factor, b: goodB }), 'notFinite', 'agent-7', 'lora_A[2, 3]');
    }
  });

  test('infinities and NaNs of the short types are refused', async () => {
    for (const [dtype, bits] of [
      ['F16', 0x7c00] as const,
      ['F16', 0xfe01] as const,
      ['BF16', 0xff80] as const,
      ['BF16', 0x7fc0] as const,
    ]) {
      const a = sampleFactor(dtype, 3, 4, () => 0.5);
      new DataView(a.factor.bytes.buffer).setUint16(2 * 5, bits, true);
      await assertRefused(spoilt({ a: a.factor }), 'notFinite', 'agent-7', 'lora_A[1, 1]');
    }
  });

  test('a coefficient that is not finite is refused', async () => {
    for (const coefficient of [Number.NaN, Number.POSITIVE_INFINITY]) {
      await assertRefused(spoilt({ coefficient }), 'notFinite', 'agent-7', 'coefficient');
    }
  });

  test('ranks that are zero or no whole number are refused', async () => {
    for (const rank of [0, -1, 1.5, Number.NaN]) await assertRefused({ ...request(), rank }, 'badRank', 'rank');
    const empty = termOf(
      'agent-7',
      1,
      sampleFactor('F32', 5, 0, () => 0),
      sampleFactor('F32', 0, 4, () => 0),
    );
    await assertRefused(spoilt(empty), 'badRank', 'agent-7');
  });

  test('sides that are zero or no whole number are refused', async () => {
    for (const side of [0, -4, 2.5, Number.POSITIVE_INFINITY]) {
      await assertRefused({ ...requestOf(4, 4, 2, []), out: side }, 'badShape');
      await assertRefused({ ...requestOf(4, 4, 2, []), in: side }, 'badShape');
    }
  });

  test('an answer that no machine holds is refused before it is allocated', async () => {
    await assertRefused(requestOf(2 ** 40, 2 ** 40, 2 ** 40, []), 'badShape', String(2 ** 30));
  });

  test('factors that do not fit the module or each other are refused', async () => {
    const f32 = (rows: number, cols: number) => sampleFactor('F32', rows, cols, () => 1).factor;
    for (const change of [{ b: f32(3, 5) }, { a: f32(4, 3) }, { a: f32(2, 4) }, { b: f32(6, 3) }]) {
      await assertRefused(spoilt(change), 'badShape', 'agent-7', '5 x r');
    }
    await assertRefused(
      spoilt({ b: { ...f32(5, 3), bytes: new Uint8Array(59) } }),
      'badShape',
      'agent-7',
      'lora_B',
      '59 bytes',
    );
    await assertRefused(spoilt({ a: { ...f32(3, 4), dtype: 'F16' } }), 'badShape', 'agent-7', 'lora_A', '48 bytes');
    await assertRefused(spoilt({ a: { ...f32(3, 4), dtype: 'F64' as 'F32' } }), 'badShape', 'agent-7', 'F64', 'BF16');
  });

  test('a sum beyond the largest number is refused', async () => {
    await assertRefused(spoilt({ coefficient: 1e200 }), 'notFinite', 'scale the coefficients down');
  });

  test('a refusal leaves the kernel fit for the next call', async () => {
    const one = kernel();
    await assert.rejects(one.truncate({ ...request(), rank: 0 }), KernelError);
    assert.equal((await one.truncate(request())).rank, 2);
  });

  test('a call whose signal is aborted is refused, and the others are answered', async () => {
    const one = kernel();
    const abort = new AbortController();
    const isCancelled = (error: unknown) => error instanceof KernelError && error.code === 'cancelled';
    const before = one.truncate(request(), abort.signal).then(
      () => 'answered',
      (error: unknown) => (isCancelled(error) ? 'cancelled' : String(error)),
    );
    const beside = one.truncate(request());
    abort.abort();
    await assert.rejects(one.truncate(request(), abort.signal), isCancelled);
    assert.equal((await beside).rank, 2);
    const outcome = await before;
    assert.ok(['answered', 'cancelled'].includes(outcome), outcome);
  });
}
