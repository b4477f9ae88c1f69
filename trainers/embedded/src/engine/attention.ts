import type { Heap } from './heap.ts';
import type { Address, Kernels } from './kernels.ts';

export interface AttentionShape {
  readonly batch: number;
  readonly length: number;
  readonly heads: number;
  readonly headSize: number;
}

/** Causal softmax(q·kᵀ / √headSize)·v with rotary positions; q, k, v and y are (batch · length) × (heads · headSize). */
export interface Attention {
  /** Rotates q and k in place. */
  forward(y: Address, q: Address, k: Address, v: Address): void;
  /** Sets dq, dk and dv (by the values before the rotation), given what `forward` left in q, k and v. */
  backward(dq: Address, dk: Address, dv: Address, dy: Address, q: Address, k: Address, v: Address): void;
}

/** Rotary tables, and one head's worth of space; shared by all layers. */
export interface AttentionScratch {
  readonly cos: Address;
  readonly sin: Address;
  readonly transposed: Address;
  readonly square: Address;
  readonly squareOther: Address;
  readonly pack: Address;
}

export function createAttentionScratch(heap: Heap, shape: AttentionShape, theta: number): AttentionScratch {
  const { length, headSize } = shape;
  const half = headSize / 2;
  const cos = heap.allocate(length * half);
  const sin = heap.allocate(length * half);
  const [cosTable, sinTable] = [heap.floats(cos, length * half), heap.floats(sin, length * half)];
  for (let position = 0; position < length; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * theta ** (-i / half);
      cosTable[position * half + i] = Math.cos(angle);
      sinTable[position * half + i] = Math.sin(angle);
    }
  }
  return {
    cos,
    sin,
    transposed: heap.allocate(length * headSize),
    square: heap.allocate(length * length),
    squareOther: heap.allocate(length * length),
    pack: heap.allocate(length * 8),
  };
}

export function createAttention(
  kernels: Kernels,
  heap: Heap,
  shape: AttentionShape,
  scratch: AttentionScratch,
): Attention {
  const { batch, length, heads, headSize } = shape;
  const width = heads * headSize;
  const tokens = batch * length;
  const scale = 1 / Math.sqrt(headSize);
  const probabilities = heap.allocate(batch * heads * length * length);
  const { pack, square, squareOther, transposed } = scratch;

  const rotate = (x: Address, direction: 1 | -1): void =>
    kernels.rotate(x, scratch.cos, scratch.sin, tokens, length, heads, headSize, direction);
  /** For each head of each sequence: where its slice begins in q, k, v and y, and its length × length probabilities. */
  const eachHead = (visit: (offset: number, probabilities: Address) => void): void => {
    for (let sequence = 0; sequence < batch; sequence++) {
      for (let head = 0; head < heads; head++) {
        const offset = (sequence * length * width + head * headSize) * 4;
        visit(offset, probabilities + (sequence * heads + head) * length * length * 4);
      }
    }
  };
  /** slice · sliceᵀ, length × length. */
  const outer = (to: Address, left: Address, right: Address): void => {
    kernels.transpose(transposed, right, length, headSize, width);
    kernels.matmul(to, left, transposed, length, length, headSize, width, length, length, 0, pack);
  };
  /** square · slice, as a slice. */
  const mix = (to: Address, weights: Address, slice: Address): void =>
    kernels.matmul(to, weights, slice, length, headSize, length, length, width, width, 0, pack);

  return {
    forward(y, q, k, v) {
      rotate(q, 1);
      rotate(k, 1);
      eachHead((offset, p) => {
        outer(p, q + offset, k + offset);
        kernels.causalSoftmax(p, length, scale);
        mix(y + offset, p, v + offset);
      });
    },
    backward(dq, dk, dv, dy, q, k, v) {
      eachHead((offset, p) => {
        kernels.transpose(squareOther, p, length, length, length);
        mix(dv + offset, squareOther, dy + offset);
        outer(square, dy + offset, v + offset);
        kernels.causalSoftmaxBackward(square, p, length, scale);
        mix(dq + offset, square, k + offset);
        kernels.transpose(squareOther, square, length, length, length);
        mix(dk + offset, squareOther, q + offset);
      });
      rotate(dq, -1);
      rotate(dk, -1);
    },
  };
}
