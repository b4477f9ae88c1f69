import {
  KernelError,
  type KernelPlan,
  type KernelSum,
  type KernelTerm,
  type SumRequest,
  type TruncatedSum,
  type TruncateRequest,
} from './kernel.ts';
import { cancelled } from './outcome.ts';

/** What a kernel does for one sum; `createKernelSum` sees to it that calls come one at a time and none after a failure. */
export interface SumWork {
  add(terms: readonly KernelTerm[], signal: AbortSignal): Promise<void>;
  truncate(signal: AbortSignal): Promise<TruncatedSum>;
  /** Frees what is held; no call is under way. */
  release(): void;
}

type State =
  | { readonly kind: 'open' }
  | { readonly kind: 'busy' }
  /** `why` completes "… cannot be used, because". */
  | { readonly kind: 'ended'; readonly why: string };

/** The rules of `KernelSum`, the same for every kernel. */
export function createKernelSum(module: string, plan: KernelPlan, work: SumWork): KernelSum {
  const released = new AbortController();
  let state: State = { kind: 'open' };

  const misuse = (why: string): KernelError =>
    new KernelError('internal', `module ${JSON.stringify(module)}: the sum cannot be used, because ${why}`);

  const run = async <Value>(
    signal: AbortSignal | undefined,
    call: (signal: AbortSignal) => Promise<Value>,
    after: State,
  ): Promise<Value> => {
    if (state.kind === 'busy') throw misuse('another call on it is under way: wait for that one first');
    if (state.kind === 'ended') throw misuse(`${state.why}: begin it again`);
    state = { kind: 'busy' };
    const either = signal === undefined ? released.signal : AbortSignal.any([released.signal, signal]);
    try {
      if (either.aborted) throw cancelled(module);
      const value = await call(either);
      state = released.signal.aborted ? RELEASED : after;
      return value;
    } catch (cause) {
      state = { kind: 'ended', why: 'an earlier call on it failed' };
      throw kernelErrorOf(module, cause);
    } finally {
      if (state.kind === 'ended') work.release();
    }
  };

  return {
    plan,
    add: (terms, signal) => run(signal, (either) => work.add(terms, either), { kind: 'open' }),
    truncate: (signal) =>
      run(signal, (either) => work.truncate(either), { kind: 'ended', why: 'it was truncated before' }),
    release: () => {
      released.abort();
      if (state.kind !== 'open') return;
      state = RELEASED;
      work.release();
    },
  };
}

const RELEASED: State = { kind: 'ended', why: 'it was released' };

/** All terms in one batch. */
export async function truncateAtOnce(
  beginSum: (request: SumRequest) => KernelSum,
  { terms, ...request }: TruncateRequest,
  signal: AbortSignal | undefined,
): Promise<TruncatedSum> {
  let sum: KernelSum | null = null;
  try {
    if (signal?.aborted) throw cancelled(request.module);
    // A rank that is no whole number is refused with its term.
    const ranks = terms.map(({ a }) => (Number.isSafeInteger(a.rows) && a.rows > 0 ? a.rows : 0));
    sum = beginSum({ ...request, rankSum: ranks.reduce((all, rank) => all + rank, 0) });
    await sum.add(terms, signal);
    return await sum.truncate(signal);
  } catch (cause) {
    throw kernelErrorOf(request.module, cause);
  } finally {
    sum?.release();
  }
}

function kernelErrorOf(module: string, cause: unknown): KernelError {
  if (cause instanceof KernelError) return cause;
  return new KernelError('internal', `module ${JSON.stringify(module)}: ${String(cause)}`, { cause });
}
