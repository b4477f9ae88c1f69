//! One pass over the elements of a factor, before anything is multiplied with them.

use super::isa::Isa;
use super::kernels::Kernels;
use super::portable::Survey;
use crate::factor::Dtype;

/// Elements that are converted at a time: they stay in the first-level cache. A multiple of the lanes of a `Survey`.
const BLOCK: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scan {
    /// Largest magnitude; infinite or NaN when an element is.
    pub largest: f32,
    /// Sum of the squares, in an order that the length alone decides: sixteen sums of every sixteenth element, added in their order.
    /// Infinite or NaN when an element is.
    pub sum_of_squares: f64,
    pub first_not_finite: Option<usize>,
}

/// Reads each little-endian element once, at any alignment. Panics when the bytes are not a whole number of elements.
pub fn scan(dtype: Dtype, bytes: &[u8]) -> Scan {
    scan_with(Kernels::new(Isa::detect()), dtype, bytes)
}

fn scan_with(kernels: Kernels, dtype: Dtype, bytes: &[u8]) -> Scan {
    assert!(bytes.len().is_multiple_of(dtype.bytes()), "{} bytes are not a whole number of {dtype:?}", bytes.len());
    let mut survey = Survey { largest: [0; _], sums_of_squares: [0.0; _] };
    let mut floats = [0.0; BLOCK];
    for bytes in bytes.chunks(BLOCK * dtype.bytes()) {
        let count = bytes.len() / dtype.bytes();
        kernels.convert(dtype, bytes, &mut floats[..count]);
        // Zeros change neither the largest magnitude nor a sum of squares.
        floats[count..].fill(0.0);
        kernels.survey(&floats, &mut survey);
    }
    let largest = f32::from_bits(survey.largest.into_iter().max().unwrap_or_default());
    let first_not_finite = if largest.is_finite() { None } else { first_not_finite(kernels, dtype, bytes) };
    Scan { largest, sum_of_squares: survey.sums_of_squares.iter().sum(), first_not_finite }
}

fn first_not_finite(kernels: Kernels, dtype: Dtype, bytes: &[u8]) -> Option<usize> {
    let mut floats = [0.0; BLOCK];
    bytes.chunks(BLOCK * dtype.bytes()).enumerate().find_map(|(block, bytes)| {
        let floats = &mut floats[..bytes.len() / dtype.bytes()];
        kernels.convert(dtype, bytes, floats);
        floats.iter().position(|float| !float.is_finite()).map(|index| block * BLOCK + index)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    fn little_endian(floats: &[f32]) -> Vec<u8> {
        floats.iter().flat_map(|float| float.to_le_bytes()).collect()
    }

    #[test]
    fn every_set_of_instructions_sums_in_the_documented_order() {
        let mut random = SplitMix64::new(5);
        for len in [0, 1, 15, 16, 17, 1024, 3000] {
            let floats: Vec<f32> = (0..len).map(|_| random.next_signed_unit() as f32).collect();
            let mut sums = [0.0f64; 16];
            floats.iter().enumerate().for_each(|(index, float)| sums[index % 16] += f64::from(*float).powi(2));
            let want = Scan {
                largest: floats.iter().fold(0.0, |largest, float| float.abs().max(largest)),
                sum_of_squares: sums.iter().sum(),
                first_not_finite: None,
            };
            let mut bytes = vec![0];
            bytes.extend(little_endian(&floats));
            for isa in Isa::available() {
                assert_eq!(scan_with(Kernels::new(isa), Dtype::F32, &bytes[1..]), want, "{isa:?}, {len} elements");
            }
        }
    }

    #[test]
    fn reads_every_type() {
        assert_eq!(scan(Dtype::Bf16, &[0x80, 0x3f, 0x20, 0xc1]), Scan { largest: 10.0, sum_of_squares: 101.0, first_not_finite: None });
        assert_eq!(scan(Dtype::F16, &[0x00, 0xbc, 0x00, 0x3c]), Scan { largest: 1.0, sum_of_squares: 2.0, first_not_finite: None });
    }

    #[test]
    fn names_the_first_element_that_is_not_finite() {
        let mut floats = vec![1.0; 2100];
        (floats[2000], floats[1999]) = (f32::INFINITY, f32::NEG_INFINITY);
        let found = scan(Dtype::F32, &little_endian(&floats));
        assert_eq!((found.first_not_finite, found.largest, found.sum_of_squares), (Some(1999), f32::INFINITY, f64::INFINITY));
        floats[2099] = f32::NAN;
        let found = scan(Dtype::F32, &little_endian(&floats));
        assert!(found.first_not_finite == Some(1999) && found.largest.is_nan() && found.sum_of_squares.is_nan());
    }

    #[test]
    #[should_panic(expected = "3 bytes are not a whole number of F16")]
    fn half_an_element_is_refused() {
        scan(Dtype::F16, &[0; 3]);
    }
}
