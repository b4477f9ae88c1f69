//! One factor as it came over the wire: raw little-endian bytes, row-major.

/// Element type as safetensors names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    F32,
    F16,
    Bf16,
}

impl Dtype {
    pub fn bytes(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::Bf16 => 2,
        }
    }
}

/// A matrix that is read where it lies. `bytes.as_ref().len() == rows * cols * dtype.bytes()` is checked by the request.
#[derive(Debug, Clone, Copy)]
pub struct Factor<S> {
    pub dtype: Dtype,
    pub rows: usize,
    pub cols: usize,
    pub bytes: S,
}

impl<S: AsRef<[u8]>> Factor<S> {
    pub fn view(&self) -> Factor<&[u8]> {
        Factor { dtype: self.dtype, rows: self.rows, cols: self.cols, bytes: self.bytes.as_ref() }
    }
}

impl Factor<&[u8]> {
    /// Converts one row to float64, which every one of the three types converts to exactly.
    pub fn read_row(&self, row: usize, into: &mut [f64]) {
        debug_assert_eq!(into.len(), self.cols);
        let row_bytes = self.cols * self.dtype.bytes();
        let bytes = &self.bytes[row * row_bytes..(row + 1) * row_bytes];
        match self.dtype {
            Dtype::F32 => {
                for (to, from) in into.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *to = f64::from(f32::from_le_bytes(*from));
                }
            }
            Dtype::Bf16 => {
                for (to, from) in into.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *to = f64::from(f32::from_bits(u32::from(u16::from_le_bytes(*from)) << 16));
                }
            }
            Dtype::F16 => {
                for (to, from) in into.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *to = f64::from(half_to_f32(u16::from_le_bytes(*from)));
                }
            }
        }
    }
}

/// IEEE 754 binary16 to binary32, exact for every one of the 65,536 patterns.
pub(crate) fn half_to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let magnitude = u32::from(half & 0x7fff);
    let bits = match magnitude {
        0x7c00.. => 0x7f80_0000 | (magnitude & 0x03ff) << 13,
        0x0400.. => (magnitude << 13) + ((127 - 15) << 23),
        // A subnormal is its integer times 2^-24, which float32 holds as a normal number.
        _ => (magnitude as f32 * f32::from_bits((127 - 24) << 23)).to_bits(),
    };
    f32::from_bits(sign | bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_has_the_value_that_its_definition_gives() {
        for half in 0..=u16::MAX {
            let (sign, exponent, fraction) = (half >> 15, (half >> 10) & 31, half & 0x3ff);
            let magnitude = match exponent {
                31 if fraction == 0 => f64::INFINITY,
                31 => f64::NAN,
                0 => f64::from(fraction) * 2f64.powi(-24),
                _ => f64::from(1024 + fraction) * 2f64.powi(i32::from(exponent) - 25),
            };
            let want = if sign == 1 { -magnitude } else { magnitude };
            let got = f64::from(half_to_f32(half));
            assert!(got == want && got.is_sign_negative() == (sign == 1) || got.is_nan() && want.is_nan());
        }
    }

    #[test]
    fn reads_rows_of_each_type_at_any_alignment() {
        let shifted = [0xff, 0x00, 0x00, 0x80, 0x3f, 0x00, 0x00, 0x20, 0xc1];
        let f32s = Factor { dtype: Dtype::F32, rows: 2, cols: 1, bytes: &shifted[1..] };
        let mut row = [0.0];
        f32s.read_row(1, &mut row);
        assert_eq!(row, [-10.0]);
        let bf16 = Factor { dtype: Dtype::Bf16, rows: 1, cols: 2, bytes: &[0x80, 0x3f, 0x20, 0xc1][..] };
        let mut row = [0.0; 2];
        bf16.read_row(0, &mut row);
        assert_eq!(row, [1.0, -10.0]);
    }
}
