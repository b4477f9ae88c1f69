//! AVX-512: a tile of eight rows is 24 registers of sums, three for the row of the right operand and one for the broadcast.

use std::arch::x86_64::*;

use super::panel::WIDTH;
use super::pieces::{Cut, WideRow};
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

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
pub fn multiply(product: Product<'_>) {
    by_height!(product, 1 2 3 4 5 6 7 8)
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
fn sum<const ROWS: usize, const ROW_STRIDE: usize, const STEP_STRIDE: usize>(product: Product<'_>) {
    product.assert_lengths();
    let (left, right) = (product.tile.floats.as_ptr(), product.right.as_ptr());
    let mut sums = [[_mm512_setzero_ps(); 3]; ROWS];
    let (mut ahead, mut due) = (product.ahead.iter(), 0);
    for step in 0..product.tile.steps {
        // Evenly over the steps: in a burst they wait for one another, and the sums for them.
        due += product.ahead.len();
        if due >= product.tile.steps {
            due -= product.tile.steps;
            if let Some(&address) = ahead.next() {
                _mm_prefetch::<_MM_HINT_T0>(std::ptr::without_provenance(address));
            }
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

const fn size<const DTYPE: u8>() -> usize {
    if DTYPE == F32 { 4 } else { 2 }
}

/// The lanes below `count <= 16`.
fn first_lanes(count: usize) -> u16 {
    ((1u32 << count) - 1) as u16
}

/// The elements of these lanes, zeros in the others.
///
/// # Safety
/// The elements of these lanes can be read at `from`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
unsafe fn load<const DTYPE: u8>(from: *const u8, lanes: u16) -> __m512 {
    // SAFETY: the caller's promise; lanes that the mask leaves out are not read.
    unsafe {
        match DTYPE {
            F32 => _mm512_maskz_loadu_ps(lanes, from.cast()),
            BF16 => _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, from.cast())))),
            _ => _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes, from.cast())),
        }
    }
}

/// The same for at most eight lanes.
///
/// # Safety
/// The elements of these lanes can be read at `from`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
unsafe fn load_half<const DTYPE: u8>(from: *const u8, lanes: u8) -> __m256 {
    // SAFETY: the caller's promise; lanes that the mask leaves out are not read.
    unsafe {
        match DTYPE {
            F32 => _mm256_maskz_loadu_ps(lanes, from.cast()),
            BF16 => _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(_mm_maskz_loadu_epi16(lanes, from.cast())))),
            _ => _mm256_cvtph_ps(_mm_maskz_loadu_epi16(lanes, from.cast())),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
pub fn convert(dtype: Dtype, bytes: &[u8], into: &mut [f32]) {
    by_dtype!(dtype, convert_of(bytes, into));
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
fn convert_of<const DTYPE: u8>(bytes: &[u8], into: &mut [f32]) {
    assert!(bytes.len() == into.len() * size::<DTYPE>());
    let (vectors, rest) = bytes.split_at(into.len() / LANES * LANES * size::<DTYPE>());
    let (into_vectors, into_rest) = into.as_chunks_mut::<LANES>();
    for (from, into) in vectors.chunks_exact(LANES * size::<DTYPE>()).zip(into_vectors) {
        // SAFETY: both chunks have sixteen elements.
        unsafe { _mm512_storeu_ps(into.as_mut_ptr(), load::<DTYPE>(from.as_ptr(), u16::MAX)) }
    }
    let lanes = first_lanes(into_rest.len());
    // SAFETY: both rests have as many elements as there are lanes.
    unsafe { _mm512_mask_storeu_ps(into_rest.as_mut_ptr(), lanes, load::<DTYPE>(rest.as_ptr(), lanes)) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
pub fn pack_rows(cuts: &[Cut<'_>], row: usize, height: usize, tiles: &mut [f32]) {
    for cut in cuts {
        by_dtype!(cut.dtype(), pack_rows_of(cut, row, height, tiles));
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
fn pack_rows_of<const DTYPE: u8>(cut: &Cut<'_>, row: usize, height: usize, tiles: &mut [f32]) {
    let (bytes, stride) = (cut.span(row, height), cut.stride_bytes());
    assert!((height - 1) * ALONG + cut.at() + cut.cols().next_multiple_of(LANES) <= tiles.len());
    for column in (0..cut.cols()).step_by(LANES) {
        let count = (cut.cols() - column).min(LANES);
        let lanes = first_lanes(count);
        for index in 0..height {
            // SAFETY: elements (index, column ..) of these lanes are inside the span; the assertion holds for the store.
            unsafe {
                let from = bytes.as_ptr().add(index * stride + column * size::<DTYPE>());
                let into = tiles.as_mut_ptr().add(index * ALONG + cut.at() + column);
                if count <= HEIGHT {
                    // Wider vectors would straddle two cache lines every other time.
                    _mm256_storeu_ps(into, load_half::<DTYPE>(from, lanes as u8));
                } else {
                    _mm512_storeu_ps(into, load::<DTYPE>(from, lanes));
                }
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
pub fn pack_columns(cut: &Cut<'_>, row: usize, steps: usize, tiles: &mut [f32], tile_stride: usize) {
    by_dtype!(cut.dtype(), pack_columns_of(cut, row, steps, tiles, tile_stride));
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
fn pack_columns_of<const DTYPE: u8>(cut: &Cut<'_>, row: usize, steps: usize, tiles: &mut [f32], tile_stride: usize) {
    let (bytes, stride) = (cut.span(row, steps), cut.stride_bytes());
    assert!(tile_stride >= steps * HEIGHT && tiles.len() >= cut.cols().div_ceil(HEIGHT) * tile_stride);
    for column in (0..cut.cols()).step_by(LANES) {
        let count = (cut.cols() - column).min(LANES);
        let from = bytes[column * size::<DTYPE>()..].as_ptr();
        let into = tiles[column / HEIGHT * tile_stride..].as_mut_ptr();
        let mut step = 0;
        // SAFETY: the elements of `count` lanes of these steps are inside the span; the assertion holds for one tile, and for the one
        // after it when there are more than eight.
        unsafe {
            while step + 2 <= steps {
                let (one, two) = (from.add(step * stride), from.add((step + 1) * stride));
                store_two::<DTYPE>(one, two, count, into.add(step * HEIGHT), tile_stride);
                step += 2;
            }
            if step < steps {
                store_one::<DTYPE>(from.add(step * stride), count, into.add(step * HEIGHT), tile_stride);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
pub fn pack_across(rows: &[WideRow<'_>], first: usize, cols: usize, tiles: &mut [f32], tile_stride: usize) {
    assert!(tile_stride >= rows.len() * HEIGHT && tiles.len() >= cols.div_ceil(HEIGHT) * tile_stride);
    for (pair, rows) in rows.chunks(2).enumerate() {
        let into = &mut tiles[pair * 2 * HEIGHT..];
        match rows {
            [one, two] if one.dtype == two.dtype => {
                by_dtype!(one.dtype, pack_two(one.elements(first, cols), two.elements(first, cols), into, tile_stride));
            }
            _ => {
                for (index, row) in rows.iter().enumerate() {
                    by_dtype!(row.dtype, pack_one(row.elements(first, cols), &mut into[index * HEIGHT..], tile_stride));
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
fn pack_two<const DTYPE: u8>(one: &[u8], two: &[u8], into: &mut [f32], tile_stride: usize) {
    let cols = one.len() / size::<DTYPE>();
    assert!(two.len() == one.len() && into.len() >= (cols.div_ceil(HEIGHT) - 1) * tile_stride + 2 * HEIGHT);
    for column in (0..cols).step_by(LANES) {
        let at = column * size::<DTYPE>();
        // SAFETY: both rows have the elements from `column`; the assertion holds for the tiles.
        unsafe {
            let into = into.as_mut_ptr().add(column / HEIGHT * tile_stride);
            store_two::<DTYPE>(one.as_ptr().add(at), two.as_ptr().add(at), (cols - column).min(LANES), into, tile_stride);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
fn pack_one<const DTYPE: u8>(row: &[u8], into: &mut [f32], tile_stride: usize) {
    let cols = row.len() / size::<DTYPE>();
    assert!(into.len() >= (cols.div_ceil(HEIGHT) - 1) * tile_stride + HEIGHT);
    for column in (0..cols).step_by(LANES) {
        // SAFETY: the row has the elements from `column`; the assertion holds for the tiles.
        unsafe {
            let into = into.as_mut_ptr().add(column / HEIGHT * tile_stride);
            store_one::<DTYPE>(row.as_ptr().add(column * size::<DTYPE>()), (cols - column).min(LANES), into, tile_stride);
        }
    }
}

/// Two steps of one tile that lies across, and if there are more than eight elements of the next tile: a whole cache line of each.
///
/// # Safety
/// `count` elements can be read at `one` and `two`; `into` has two steps, and so has the tile after it when `count > 8`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
unsafe fn store_two<const DTYPE: u8>(one: *const u8, two: *const u8, count: usize, into: *mut f32, tile_stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let (one, two) = (load::<DTYPE>(one, first_lanes(count)), load::<DTYPE>(two, first_lanes(count)));
        _mm512_storeu_ps(into, _mm512_shuffle_f32x4::<0b01_00_01_00>(one, two));
        if count > HEIGHT {
            _mm512_storeu_ps(into.add(tile_stride), _mm512_shuffle_f32x4::<0b11_10_11_10>(one, two));
        }
    }
}

/// The same for one step.
///
/// # Safety
/// `count` elements can be read at `row`; `into` has a step, and so has the tile after it when `count > 8`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
unsafe fn store_one<const DTYPE: u8>(row: *const u8, count: usize, into: *mut f32, tile_stride: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let floats = load::<DTYPE>(row, first_lanes(count));
        _mm256_storeu_ps(into, _mm512_castps512_ps256(floats));
        if count > HEIGHT {
            _mm256_storeu_ps(into.add(tile_stride), _mm512_extractf32x8_ps::<1>(floats));
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
pub fn scale(floats: &mut [f32], factor: f32) {
    portable::scale(floats, factor);
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
pub fn survey(floats: &[f32], survey: &mut Survey) {
    portable::survey(floats, survey);
}
