//! When the iteration has gone far enough: what it still misses, against what no approximation of this rank could have.

/// An error below this share of `|W|_F` is not told apart from the rounding of float32: 3e-7, squared.
const ROUNDING_SQUARED: f64 = 1e-13;

/// Bounds of the ratio by which the increments are taken to shrink, and the ratio before two increments are known.
const SHRINK_MIN: f64 = 0.05;
const SHRINK_MAX: f64 = 0.9;
const SHRINK_FIRST: f64 = 0.5;

/// What one look at the Ritz values says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    pub is_converged: bool,
    /// Estimated `|W - answer|_F / (the smallest possible) - 1`.
    pub excess: f64,
}

/// Follows the energy that the best `rank` directions of a growing basis capture.
///
/// By interlacing it only grows, towards the energy of the best rank-`rank` approximation. What is still missing is extrapolated from
/// the last two increments as a geometric series.
#[derive(Debug)]
pub struct Convergence {
    rank: usize,
    tolerance: f64,
    captured: Option<f64>,
    increment: Option<f64>,
}

impl Convergence {
    pub fn new(rank: usize, tolerance: f64) -> Self {
        Self { rank, tolerance, captured: None, increment: None }
    }

    /// `values` are the squared Ritz values, descending; `outside` is the energy of W outside the basis, or a low estimate of it.
    pub fn look(&mut self, values: &[f64], outside: f64) -> Verdict {
        let (kept, rest) = values.split_at(self.rank.min(values.len()));
        let captured: f64 = kept.iter().sum();
        let inside: f64 = rest.iter().sum();
        let Some(before) = self.captured.replace(captured) else {
            return Verdict { is_converged: false, excess: f64::INFINITY };
        };
        let increment = (captured - before).max(0.0);
        let shrink = self.increment.map_or(SHRINK_FIRST, |earlier| (increment / earlier.max(f64::MIN_POSITIVE)).clamp(SHRINK_MIN, SHRINK_MAX));
        self.increment = Some(increment);
        let missing = increment * shrink / (1.0 - shrink);
        let smallest = (inside + outside - missing).max(0.0);
        let is_rounding = missing <= ROUNDING_SQUARED * captured;
        let is_converged = is_rounding || missing <= (self.tolerance * self.tolerance - 1.0) * smallest;
        let excess = if missing == 0.0 || is_rounding && smallest <= ROUNDING_SQUARED * captured { 0.0 } else { (missing / smallest).sqrt_1pm1() };
        Verdict { is_converged, excess }
    }
}

trait SqrtOnePlusMinusOne {
    /// `sqrt(1 + x) - 1` without cancellation.
    fn sqrt_1pm1(self) -> Self;
}

impl SqrtOnePlusMinusOne for f64 {
    fn sqrt_1pm1(self) -> f64 {
        self / ((1.0 + self).sqrt() + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_knows_nothing() {
        assert!(!Convergence::new(1, 2.0).look(&[4.0, 1.0], 0.0).is_converged);
    }

    #[test]
    fn a_geometric_series_is_extrapolated_to_its_limit() {
        let mut convergence = Convergence::new(1, 1.001);
        for captured in [8.0, 9.0, 9.5] {
            assert!(!convergence.look(&[captured, 1.0], 3.0).is_converged);
        }
        let verdict = convergence.look(&[9.75, 1.0], 3.0);
        // 0.25 are missing of 10; the best error squared is 1 + 3 - 0.25.
        assert!((verdict.excess - ((4.0f64 / 3.75).sqrt() - 1.0)).abs() < 1e-12, "{verdict:?}");
    }

    #[test]
    fn an_energy_that_stands_still_has_converged_and_so_has_rounding() {
        let mut convergence = Convergence::new(2, 1.0 + 1e-6);
        convergence.look(&[3.0, 1.0], 0.0);
        assert_eq!(convergence.look(&[3.0, 1.0], 0.0), Verdict { is_converged: true, excess: 0.0 });
        let verdict = convergence.look(&[3.0 + 1e-14, 1.0], 0.0);
        assert!(verdict.is_converged);
    }
}
