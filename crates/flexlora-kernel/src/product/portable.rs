//! Plain Rust: what every other set of instructions must agree with, byte for byte.

use super::panel::WIDTH;
use super::pieces::{Cut, WideRow};
use super::tile::{ALONG, HEIGHT, Keep, Product};
use crate::factor::{Dtype, half_to_f32};

/// Columns that are summed at a time: with four rows, sixteen registers of four lanes.
const LANES: usize = 16;

pub fn multiply(mut product: Product<'_>) {
    for column in (0..WIDTH).step_by(LANES) {
        let mut row = 0;
        while row + 4 <= product.tile.height {
            block::<4>(&mut product, row, column);
            row += 4;
        }
        while row < product.tile.height {
            block::<1>(&mut product, row, column);
            row += 1;
        }
    }
}

fn block<const ROWS: usize>(product: &mut Product<'_>, row: usize, column: usize) {
    let tile = product.tile;
    let (row_stride, step_stride) = (tile.layout.row_stride(), tile.layout.step_stride());
    let mut sums = [[0.0f32; LANES]; ROWS];
    for (step, right) in product.right.chunks_exact(WIDTH).take(tile.steps).enumerate() {
        let right = &right[column..column + LANES];
        for (index, sums) in sums.iter_mut().enumerate() {
            let left = tile.floats[(row + index) * row_stride + step * step_stride];
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = left.mul_add(*right, *sum);
            }
        }
    }
    for (index, sums) in sums.iter().enumerate() {
        let start = (row + index) * product.stride + column;
        for (out, sum) in product.out[start..start + LANES].iter_mut().zip(sums) {
            *out = match product.keep {
                Keep::Overwrite => *sum,
                Keep::Add => *out + sum,
            };
        }
    }
}

pub fn pack_rows(cuts: &[Cut<'_>], row: usize, height: usize, tile: &mut [f32]) {
    for cut in cuts {
        for index in 0..height {
            let start = index * ALONG + cut.at();
            convert(cut.dtype(), cut.span(row + index, 1), &mut tile[start..start + cut.cols()]);
        }
    }
}

pub fn pack_columns(cut: &Cut<'_>, row: usize, steps: usize, tiles: &mut [f32], tile_stride: usize) {
    for step in 0..steps {
        pack_step(cut.dtype(), cut.span(row + step, 1), step, tiles, tile_stride);
    }
}

pub fn pack_across(rows: &[WideRow<'_>], first: usize, cols: usize, tiles: &mut [f32], tile_stride: usize) {
    for (step, row) in rows.iter().enumerate() {
        pack_step(row.dtype, row.elements(first, cols), step, tiles, tile_stride);
    }
}

fn pack_step(dtype: Dtype, bytes: &[u8], step: usize, tiles: &mut [f32], tile_stride: usize) {
    for (bytes, tile) in bytes.chunks(HEIGHT * dtype.bytes()).zip(tiles.chunks_mut(tile_stride)) {
        let start = step * HEIGHT;
        convert(dtype, bytes, &mut tile[start..start + bytes.len() / dtype.bytes()]);
    }
}

pub fn convert(dtype: Dtype, bytes: &[u8], into: &mut [f32]) {
    match dtype {
        Dtype::F32 => {
            for (to, from) in into.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *to = f32::from_le_bytes(*from);
            }
        }
        Dtype::Bf16 => {
            for (to, from) in into.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *to = f32::from_bits(u32::from(u16::from_le_bytes(*from)) << 16);
            }
        }
        Dtype::F16 => {
            for (to, from) in into.iter_mut().zip(bytes.as_chunks::<2>().0) {
                *to = half_to_f32(u16::from_le_bytes(*from));
            }
        }
    }
}

/// Inlined into the other sets' files, where the compiler has wider vectors for the same operations.
#[inline(always)]
pub fn scale(floats: &mut [f32], factor: f32) {
    for float in floats {
        *float *= factor;
    }
}

/// Running sums of `scan`, lane `i` for the elements whose index is `i` modulo the number of lanes.
#[derive(Clone, Copy)]
pub struct Survey {
    /// Largest magnitude as bits, whose order as integers is that of the magnitudes, above them infinity, above it NaN.
    pub largest: [u32; LANES],
    pub sums_of_squares: [f64; LANES],
}

/// Takes in floats whose number is a multiple of the lanes. A square of a float32 is exact in float64, so that fusing changes nothing.
#[inline(always)]
pub fn survey(floats: &[f32], survey: &mut Survey) {
    let mut now = *survey;
    for floats in floats.as_chunks::<LANES>().0 {
        for (largest, float) in now.largest.iter_mut().zip(floats) {
            *largest = (*largest).max(float.to_bits() & 0x7fff_ffff);
        }
        for (sum, float) in now.sums_of_squares.iter_mut().zip(floats) {
            *sum += f64::from(*float) * f64::from(*float);
        }
    }
    *survey = now;
}
