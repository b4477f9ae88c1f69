import { FACTOR_DTYPES, type FactorDtype } from './factor.ts';

/** How the numbers of an update travel. `as-trained`: as any of the types that trainers write. */
export type UpdateFormat = 'as-trained' | 'f32' | 'bf16' | 'f16' | 'int8';

export const UPDATE_FORMATS: readonly UpdateFormat[] = ['as-trained', 'f32', 'bf16', 'f16', 'int8'];

/** Element type of a factor in an update. I8 has beside it one F32 scale a row: value = scale · q. */
export type UpdateDtype = FactorDtype | 'I8';

/** The types that a factor may have in an update of this format. */
export function dtypesOf(format: UpdateFormat): readonly UpdateDtype[] {
  switch (format) {
    case 'as-trained':
      return FACTOR_DTYPES;
    case 'f32':
      return ['F32'];
    case 'bf16':
      return ['BF16'];
    case 'f16':
      return ['F16'];
    case 'int8':
      return ['I8'];
  }
}

/** Bytes of a factor's numbers; those of I8 are with their scales. */
export function updateFactorBytes(dtype: UpdateDtype, rows: number, cols: number): number {
  switch (dtype) {
    case 'I8':
      return rows * cols + 4 * rows;
    case 'F32':
      return 4 * rows * cols;
    case 'F16':
    case 'BF16':
      return 2 * rows * cols;
  }
}
