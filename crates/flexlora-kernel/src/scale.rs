//! Powers of two. The sum is worked out at a scale near one, so that no square of it overflows or vanishes; multiplying by a power
//! of two is exact, so the answer does not depend on the scale chosen.

use faer::MatMut;

/// `2^STEP_MAX` and its inverse are normal numbers.
const STEP_MAX: i32 = 1000;

/// The exponent `e` with `2^(e-1) <= |x| < 2^e`; 0 for zero.
pub fn exponent(x: f64) -> i32 {
    if x == 0.0 || !x.is_finite() {
        return 0;
    }
    let bits = ((x.to_bits() >> 52) & 0x7ff) as i32;
    if bits == 0 {
        return exponent(x * 2f64.powi(64)) - 64;
    }
    bits - 1022
}

/// `x * 2^power`, for any power: infinite or zero only where the result is out of range.
pub fn times_power_of_two(x: f64, power: i32) -> f64 {
    let mut value = x;
    let mut left = power;
    while left != 0 && value != 0.0 && value.is_finite() {
        let step = left.clamp(-STEP_MAX, STEP_MAX);
        value *= 2f64.powi(step);
        left -= step;
    }
    value
}

/// Every value `* 2^power`.
pub fn scale_by_power_of_two(mut matrix: MatMut<'_, f64>, power: i32) {
    // Within one step of `times_power_of_two` the factor is the same for all.
    let factor = (power.abs() <= STEP_MAX).then(|| 2f64.powi(power));
    for j in 0..matrix.ncols() {
        for x in matrix.as_mut().col_mut(j).iter_mut() {
            *x = factor.map_or_else(|| times_power_of_two(*x, power), |factor| *x * factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponent_brackets_the_number() {
        for x in [1.0, 0.5, 3.0, 1e300, 1e-300, 5e-324, f64::MAX] {
            let e = exponent(-x);
            assert!(x >= times_power_of_two(1.0, e - 1));
            assert!(e > 1023 || x < times_power_of_two(1.0, e));
        }
        assert_eq!(exponent(0.0), 0);
    }

    #[test]
    fn goes_there_and_back_without_a_trace() {
        for power in [-1900, -3, 0, 17, 1900] {
            let x = times_power_of_two(1.75, if power < 0 { 900.min(-power) } else { -900.min(power) });
            let there = times_power_of_two(x, power);
            assert_eq!(times_power_of_two(there, -power), x);
        }
        assert_eq!(times_power_of_two(1.0, 5000), f64::INFINITY);
        assert_eq!(times_power_of_two(1.0, -5000), 0.0);
    }
}
