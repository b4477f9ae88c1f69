//! The inner loops, as the chosen set of instructions has them.

use super::isa::Isa;
use super::pieces::{Cut, WideRow};
use super::portable;
use super::tile::{ALONG, HEIGHT, Product};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::factor::Dtype;

/// A set of instructions that this processor has: the proof that calling its functions is sound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kernels(Isa);

/// Calls a function of the set's own file.
macro_rules! dispatch {
    ($kernels:expr, $function:ident($($argument:expr),*)) => {
        match $kernels.0 {
            // SAFETY: a `Kernels` of this set is only made where the processor has its instructions.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { avx512::$function($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { avx2::$function($($argument),*) },
            _ => portable::$function($($argument),*),
        }
    };
}

impl Kernels {
    /// Panics when the processor does not have the instructions.
    pub fn new(isa: Isa) -> Self {
        assert!(isa.is_available(), "this processor has no {isa:?}; it has {:?}", Isa::available());
        Self(isa)
    }

    pub fn isa(self) -> Isa {
        self.0
    }

    /// `out (+)= tile * right`: each entry is one chain of fused multiply-adds from zero over k ascending, then kept or added.
    pub fn multiply(self, product: Product<'_>) {
        product.assert_lengths();
        dispatch!(self, multiply(product));
    }

    /// Rows `row .. row + height` of the cuts of one chunk, `ALONG` floats apart. Floats past the last column may be overwritten.
    pub fn pack_rows(self, cuts: &[Cut<'_>], row: usize, height: usize, tiles: &mut [f32]) {
        assert!(height >= 1 && tiles.len() >= height * ALONG);
        debug_assert!(cuts.iter().all(|cut| cut.at() + cut.cols().next_multiple_of(16) <= ALONG));
        dispatch!(self, pack_rows(cuts, row, height, tiles));
    }

    /// Rows `row .. row + steps` of a cut as tiles that lie across, `tile_stride` floats apart: columns `8 t .. 8 t + 8` in tile `t`, the
    /// rows as steps. Lanes past the last column are unspecified.
    pub fn pack_columns(self, cut: &Cut<'_>, row: usize, steps: usize, tiles: &mut [f32], tile_stride: usize) {
        assert!(tile_stride >= steps * HEIGHT && tiles.len() >= cut.cols().div_ceil(HEIGHT) * tile_stride);
        dispatch!(self, pack_columns(cut, row, steps, tiles, tile_stride));
    }

    /// Elements `first .. first + cols` of each row as tiles that lie across: columns `8 t .. 8 t + 8` in tile `t`, the rows as steps.
    pub fn pack_across(self, rows: &[WideRow<'_>], first: usize, cols: usize, tiles: &mut [f32], tile_stride: usize) {
        assert!(tile_stride >= rows.len() * HEIGHT && tiles.len() >= cols.div_ceil(HEIGHT) * tile_stride);
        dispatch!(self, pack_across(rows, first, cols, tiles, tile_stride));
    }

    /// Contiguous elements to float32, each to the value it stands for.
    pub fn convert(self, dtype: Dtype, bytes: &[u8], into: &mut [f32]) {
        assert!(bytes.len() == into.len() * dtype.bytes());
        dispatch!(self, convert(dtype, bytes, into));
    }

    /// Multiplies each float.
    pub fn scale(self, floats: &mut [f32], factor: f32) {
        dispatch!(self, scale(floats, factor));
    }

    /// Adds what `portable::survey` describes.
    pub fn survey(self, floats: &[f32], survey: &mut portable::Survey) {
        dispatch!(self, survey(floats, survey));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factor::half_to_f32;

    /// All 65,536 patterns, and one that is not part of a whole vector, from an odd address.
    fn patterns() -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend((0..=u16::MAX).chain([0x3c01]).flat_map(u16::to_le_bytes));
        bytes
    }

    #[test]
    fn every_set_of_instructions_gives_every_16_bit_pattern_the_value_it_stands_for() {
        for kernels in Isa::available().into_iter().map(Kernels::new) {
            for (dtype, value) in [(Dtype::F16, half_to_f32 as fn(u16) -> f32), (Dtype::Bf16, |bits| f32::from_bits(u32::from(bits) << 16))]
            {
                let mut floats = vec![0.0; 65_537];
                kernels.convert(dtype, &patterns()[1..], &mut floats);
                for (bits, got) in (0..=u16::MAX).chain([0x3c01]).zip(floats) {
                    let want = value(bits);
                    assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(), "{kernels:?} {dtype:?} {bits:#x}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "assertion failed")]
    fn a_buffer_of_another_length_is_refused() {
        Kernels::new(Isa::detect()).convert(Dtype::F32, &[0; 8], &mut [0.0]);
    }
}
