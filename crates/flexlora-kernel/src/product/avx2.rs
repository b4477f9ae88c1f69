//! AVX2: four rows and half the columns are twelve registers of sums, three for the right operand and one for the broadcast.

use std::arch::x86_64::*;

use super::panel::WIDTH;
use super::pieces::{Cut, WideRow};
use super::portable::{self, Survey};
use super::tile::{ALONG, HEIGHT, Keep, Layout, Product};
use crate::factor::Dtype;

const LANES: usize = 8;
/// Rows that are summed at a time.
const ROWS_MAX: usize = 4;

/// Calls a function for the layout and a number of rows as constants, so that its sums stay in registers.
macro_rules! by_rows {
    ($product:expr, $rows:expr, $row:expr, $($height:literal)*) => {
        match ($product.tile.layout, $rows) {
            $((Layout::Along, $height) => sum::<$height, ALONG, 1>($product, $row),)*
            $((Layout::Across, $height) => sum::<$height, 1, HEIGHT>($product, $row),)*
            _ => unreachable!("at most {ROWS_MAX} rows at a time"),
        }
    };
}

#[target_feature(enable = "avx2,fma,f16c")]
pub fn multiply(mut product: Product<'_>) {
    for row in (0..product.tile.height).step_by(ROWS_MAX) {
        let rows = (product.tile.height - row).min(ROWS_MAX);
        by_rows!(&mut product, rows, row, 1 2 3 4);
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn sum<const ROWS: usize, const ROW_STRIDE: usize, const STEP_STRIDE: usize>(product: &mut Product<'_>, row: usize) {
    product.assert_lengths();
    assert!(row + ROWS <= product.tile.height);
    for half in [0, WIDTH / 2] {
        let addresses = if row == 0 && half == 0 { product.ahead } else { &[] };
        let (mut ahead, mut due) = (addresses.iter(), 0);
        let mut sums = [[_mm256_setzero_ps(); 3]; ROWS];
        for step in 0..product.tile.steps {
            // Evenly over the steps: in a burst they wait for one another, and the sums for them.
            due += addresses.len();
            if due >= product.tile.steps {
                due -= product.tile.steps;
                if let Some(&address) = ahead.next() {
                    _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(address));
                }
            }
            // SAFETY: `assert_lengths`: the right operand has `steps` rows of `WIDTH`, the tile has element (row + ROWS - 1, steps - 1).
            unsafe {
                let right = product.right.as_ptr().add(step * WIDTH + half);
                let columns = [_mm256_loadu_ps(right), _mm256_loadu_ps(right.add(LANES)), _mm256_loadu_ps(right.add(2 * LANES))];
                let left = product.tile.floats.as_ptr().add(row * ROW_STRIDE + step * STEP_STRIDE);
                for (index, sums) in sums.iter_mut().enumerate() {
                    let element = _mm256_set1_ps(*left.add(index * ROW_STRIDE));
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = _mm256_fmadd_ps(element, column, *sum);
                    }
                }
            }
        }
        for (index, sums) in sums.iter().enumerate() {
            for (third, &sum) in sums.iter().enumerate() {
                // SAFETY: `assert_lengths`: row `row + index` of the result has `WIDTH = 6 * LANES` floats.
                unsafe {
                    let out = product.out.as_mut_ptr().add((row + index) * product.stride + half + third * LANES);
                    let kept = match product.keep {
                        Keep::Overwrite => sum,
                        Keep::Add => _mm256_add_ps(_mm256_loadu_ps(out), sum),
                    };
                    _mm256_storeu_ps(out, kept);
                }
            }
        }
    }
}

/// The first `count <= 8` elements, zeros after them.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn load(dtype: Dtype, from: &[u8], count: usize) -> __m256 {
    let mut padded = [0; LANES * 4];
    let from = if count == LANES {
        &from[..LANES * dtype.bytes()]
    } else {
        padded[..count * dtype.bytes()].copy_from_slice(&from[..count * dtype.bytes()]);
        &padded
    };
    // SAFETY: `from` has at least eight elements of the type.
    unsafe {
        match dtype {
            Dtype::F32 => _mm256_loadu_ps(from.as_ptr().cast()),
            Dtype::Bf16 => _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_loadu_si128(from.as_ptr().cast())))),
            Dtype::F16 => _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast())),
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn store(floats: __m256, into: &mut [f32; LANES]) {
    // SAFETY: there is room for exactly one vector.
    unsafe { _mm256_storeu_ps(into.as_mut_ptr(), floats) }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub fn pack_rows(cuts: &[Cut<'_>], row: usize, height: usize, tile: &mut [f32]) {
    for cut in cuts {
        for (index, row) in (row..row + height).enumerate() {
            pack_row(cut, row, &mut tile[index * ALONG + cut.at()..(index + 1) * ALONG]);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn pack_row(cut: &Cut<'_>, row: usize, into: &mut [f32]) {
    let (dtype, bytes) = (cut.dtype(), cut.span(row, 1));
    let vectors = bytes.chunks(LANES * dtype.bytes());
    for (bytes, into) in vectors.zip(into.as_chunks_mut::<LANES>().0) {
        store(load(dtype, bytes, bytes.len() / dtype.bytes()), into);
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub fn pack_columns(cut: &Cut<'_>, row: usize, steps: usize, tiles: &mut [f32], tile_stride: usize) {
    for step in 0..steps {
        pack_step(cut.dtype(), cut.span(row + step, 1), step, tiles, tile_stride);
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub fn pack_across(rows: &[WideRow<'_>], first: usize, cols: usize, tiles: &mut [f32], tile_stride: usize) {
    for (step, row) in rows.iter().enumerate() {
        pack_step(row.dtype, row.elements(first, cols), step, tiles, tile_stride);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn pack_step(dtype: Dtype, bytes: &[u8], step: usize, tiles: &mut [f32], tile_stride: usize) {
    for (bytes, tile) in bytes.chunks(HEIGHT * dtype.bytes()).zip(tiles.chunks_mut(tile_stride)) {
        let floats = load(dtype, bytes, bytes.len() / dtype.bytes());
        store(floats, &mut tile.as_chunks_mut::<LANES>().0[step]);
    }
}

#[target_feature(enable = "avx2,fma,f16c")]
pub fn convert(dtype: Dtype, bytes: &[u8], into: &mut [f32]) {
    let whole = into.len() / LANES * LANES;
    let (now, rest) = into.split_at_mut(whole);
    for (bytes, into) in bytes.chunks_exact(LANES * dtype.bytes()).zip(now.as_chunks_mut::<LANES>().0) {
        store(load(dtype, bytes, LANES), into);
    }
    portable::convert(dtype, &bytes[whole * dtype.bytes()..], rest);
}

#[target_feature(enable = "avx2,fma,f16c")]
pub fn scale(floats: &mut [f32], factor: f32) {
    portable::scale(floats, factor);
}

#[target_feature(enable = "avx2,fma,f16c")]
pub fn survey(floats: &[f32], survey: &mut Survey) {
    portable::survey(floats, survey);
}
