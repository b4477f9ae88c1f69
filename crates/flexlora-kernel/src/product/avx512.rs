//! AVX-512: a tile of eight rows is 24 registers of sums, three for the row of the right operand and one for the broadcast.

use std::arch::x86_64::*;

use super::panel::WIDTH;
use super::pieces::Cut;
use super::portable::{self, Survey};
use super::tile::{ALONG, HEIGHT, Keep, Layout, Product};
use crate::factor::Dtype;

const LANES: usize = 16;

/// Calls a function for the tile's height and layout as constants, so that its sums stay in registers.
macro_rules! by_height {
    ($product:expr, $($height:literal)*) => {
        match ($product.tile.layout, $product.tile.height) {
            $((Layout::Along, $height) => sum::<$height, ALONG, 1>($product),)*
            $((Layout::Across, $height) => sum::<$height, 1, HEIGHT>($product),)*
            _ => unreachable!("a tile has 1 to {HEIGHT} rows"),
        }
    };
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub fn multiply(product: Product<'_>) {
    by_height!(product, 1 2 3 4 5 6 7 8)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn sum<const ROWS: usize, const ROW_STRIDE: usize, const STEP_STRIDE: usize>(product: Product<'_>) {
    product.assert_lengths();
    let (left, right) = (product.tile.floats.as_ptr(), product.right.as_ptr());
    let mut sums = [[_mm512_setzero_ps(); 3]; ROWS];
    for step in 0..product.tile.steps {
        if let Some(&address) = product.ahead.get(step) {
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(address));
        }
        // SAFETY: `assert_lengths`: the right operand has `steps` rows of `WIDTH`, the tile has element (ROWS - 1, steps - 1).
        unsafe {
            let row = right.add(step * WIDTH);
            let columns = [_mm512_loadu_ps(row), _mm512_loadu_ps(row.add(LANES)), _mm512_loadu_ps(row.add(2 * LANES))];
            for (index, sums) in sums.iter_mut().enumerate() {
                let element = _mm512_set1_ps(*left.add(index * ROW_STRIDE + step * STEP_STRIDE));
                for (sum, column) in sums.iter_mut().zip(columns) {
                    *sum = _mm512_fmadd_ps(element, column, *sum);
                }
            }
        }
    }
    for (index, sums) in sums.iter().enumerate() {
        for (third, &sum) in sums.iter().enumerate() {
            // SAFETY: `assert_lengths`: row `index < ROWS` of the result has `WIDTH = 3 * LANES` floats.
            unsafe {
                let out = product.out.as_mut_ptr().add(index * product.stride + third * LANES);
                let kept = match product.keep {
                    Keep::Overwrite => sum,
                    Keep::Add => _mm512_add_ps(_mm512_loadu_ps(out), sum),
                };
                _mm512_storeu_ps(out, kept);
            }
        }
    }
}

/// The first `count <= 16` elements, zeros after them.
///
/// # Safety
/// `count` elements can be read at `from`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn load<const DTYPE: u8>(from: *const u8, count: usize) -> __m512 {
    let mask = ((1u32 << count) - 1) as u16;
    // SAFETY: the caller's promise; lanes that the mask leaves out are not read.
    unsafe {
        match DTYPE {
            F32 => _mm512_maskz_loadu_ps(mask, from.cast()),
            BF16 => _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from.cast())))),
            _ => _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, from.cast())),
        }
    }
}

const F32: u8 = Dtype::F32 as u8;
const BF16: u8 = Dtype::Bf16 as u8;
const F16: u8 = Dtype::F16 as u8;

/// Calls a function with the element type as a constant.
macro_rules! by_dtype {
    ($dtype:expr, $function:ident($($argument:expr),*)) => {
        match $dtype {
            Dtype::F32 => $function::<F32>($($argument),*),
            Dtype::Bf16 => $function::<BF16>($($argument),*),
            Dtype::F16 => $function::<F16>($($argument),*),
        }
    };
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub fn pack_rows(cuts: &[Cut<'_>], row: usize, height: usize, tile: &mut [f32]) {
    for cut in cuts {
        by_dtype!(cut.dtype(), pack_rows_of(cut, row, height, tile));
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn pack_rows_of<const DTYPE: u8>(cut: &Cut<'_>, row: usize, height: usize, tile: &mut [f32]) {
    let (bytes, size) = (cut.span(row, height), cut.dtype().bytes());
    assert!((height - 1) * ALONG + cut.at() + cut.cols().next_multiple_of(LANES) <= tile.len());
    for column in (0..cut.cols()).step_by(LANES) {
        let count = (cut.cols() - column).min(LANES);
        for index in 0..height {
            // SAFETY: elements (index, column .. column + count) are inside the span; the assertion holds for the store.
            unsafe {
                let floats = load::<DTYPE>(bytes.as_ptr().add(index * cut.stride_bytes() + column * size), count);
                _mm512_storeu_ps(tile.as_mut_ptr().add(index * ALONG + cut.at() + column), floats);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub fn pack_columns(cut: &Cut<'_>, row: usize, steps: usize, tiles: &mut [f32], tile_stride: usize) {
    by_dtype!(cut.dtype(), pack_columns_of(cut, row, steps, tiles, tile_stride));
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn pack_columns_of<const DTYPE: u8>(cut: &Cut<'_>, row: usize, steps: usize, tiles: &mut [f32], tile_stride: usize) {
    let (bytes, size) = (cut.span(row, steps), cut.dtype().bytes());
    assert!(tile_stride >= steps * HEIGHT && tiles.len() >= cut.cols().div_ceil(HEIGHT) * tile_stride);
    for column in (0..cut.cols()).step_by(LANES) {
        let count = (cut.cols() - column).min(LANES);
        for step in 0..steps {
            // SAFETY: elements (step, column .. column + count) are inside the span; the assertion holds for the tiles.
            unsafe {
                let floats = load::<DTYPE>(bytes.as_ptr().add(step * cut.stride_bytes() + column * size), count);
                store_halves(floats, count, tiles.as_mut_ptr().add(column / HEIGHT * tile_stride + step * HEIGHT), tile_stride);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub fn pack_across(dtype: Dtype, bytes: &[u8], step: usize, tiles: &mut [f32], tile_stride: usize) {
    by_dtype!(dtype, pack_across_of(dtype, bytes, step, tiles, tile_stride));
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn pack_across_of<const DTYPE: u8>(dtype: Dtype, bytes: &[u8], step: usize, tiles: &mut [f32], tile_stride: usize) {
    let cols = bytes.len() / dtype.bytes();
    assert!(tile_stride >= (step + 1) * HEIGHT && tiles.len() >= cols.div_ceil(HEIGHT) * tile_stride);
    for column in (0..cols).step_by(LANES) {
        let count = (cols - column).min(LANES);
        // SAFETY: `count` elements are left from `column`; the assertion holds for the tiles.
        unsafe {
            let floats = load::<DTYPE>(bytes.as_ptr().add(column * dtype.bytes()), count);
            store_halves(floats, count, tiles.as_mut_ptr().add(column / HEIGHT * tile_stride + step * HEIGHT), tile_stride);
        }
    }
}

/// Eight floats, and if there are more than eight the others one tile further.
///
/// # Safety
/// `into` has eight floats, and so has the tile after it when `count > 8`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn store_halves(floats: __m512, count: usize, into: *mut f32, tile_stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        _mm256_storeu_ps(into, _mm512_castps512_ps256(floats));
        if count > HEIGHT {
            _mm256_storeu_ps(into.add(tile_stride), _mm512_extractf32x8_ps::<1>(floats));
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub fn convert(dtype: Dtype, bytes: &[u8], into: &mut [f32]) {
    by_dtype!(dtype, convert_of(dtype, bytes, into));
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn convert_of<const DTYPE: u8>(dtype: Dtype, bytes: &[u8], into: &mut [f32]) {
    assert!(bytes.len() == into.len() * dtype.bytes());
    for column in (0..into.len()).step_by(LANES) {
        let count = (into.len() - column).min(LANES);
        // SAFETY: `count` elements and as many floats are left from `column`; the mask leaves out the other lanes.
        unsafe {
            let floats = load::<DTYPE>(bytes.as_ptr().add(column * dtype.bytes()), count);
            _mm512_mask_storeu_ps(into.as_mut_ptr().add(column), ((1u32 << count) - 1) as u16, floats);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub fn scale(floats: &mut [f32], factor: f32) {
    portable::scale(floats, factor);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub fn survey(floats: &[f32], survey: &mut Survey) {
    portable::survey(floats, survey);
}
