//! When the iteration has gone far enough: what it still misses, against what no approximation of this rank could have.

/// An error of this share of `|W|_F`, squared, comes from the rounding of float32 in each of the values kept: `2^-24`, twice over for both
/// sides. Nothing smaller is looked for.
const ROUNDING_SQUARED: f64 = 4.0 / (1u64 << 48) as f64;

/// What a value may grow by, relative to itself, because the basis and its image are rounded to float32: an observed size, not a
/// bound. So much is taken off an increment: large values have long arrived, and small ones must not be hidden behind their noise.
const VALUE_NOISE: f64 = 1.0 / (1u64 << 30) as f64;

/// The same relative to the largest value: directions that are nothing but the rounding of float32 have values of about `(2^-24)^2` of it.
const LARGEST_NOISE: f64 = 8.0 / (1u64 << 48) as f64;

/// Bounds of the ratio by which the increments of one value are taken to shrink, and the ratio before two increments are known. The
/// lower bound is for values that have just come out of the noise, whose first increment says little about the next.
const SHRINK_MIN: f64 = 0.25;
const SHRINK_MAX: f64 = 0.9;
const SHRINK_FIRST: f64 = 0.75;

/// What one look at the Ritz values says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    pub is_converged: bool,
    /// Estimated `|W - answer|_F / (the smallest possible) - 1`.
    pub excess: f64,
}

/// Follows the squared Ritz values of a growing basis, of which the largest `rank` are kept.
///
/// By interlacing every one of them only grows, towards the squared singular value of W in its place. What it still misses is
/// extrapolated from its last two increments as a geometric series, each value for itself: the large ones arrive long before those that
/// stand close together.
#[derive(Debug)]
pub struct Convergence {
    rank: usize,
    tolerance: f64,
    values: Vec<f64>,
    increments: Vec<f64>,
}

impl Convergence {
    pub fn new(rank: usize, tolerance: f64) -> Self {
        Self { rank, tolerance, values: Vec::new(), increments: Vec::new() }
    }

    /// `values` are the squared Ritz values, descending, at least `rank` of them; `outside` is the energy of W outside the basis, or a low
    /// estimate of it.
    pub fn look(&mut self, values: &[f64], outside: f64) -> Verdict {
        let (kept, rest) = values.split_at(self.rank);
        let before = std::mem::replace(&mut self.values, kept.to_vec());
        let earlier = std::mem::take(&mut self.increments);
        let noise = |value: f64| (VALUE_NOISE * value).max(LARGEST_NOISE * kept[0]);
        self.increments = kept.iter().zip(&before).map(|(value, before)| (value - noise(*value) - before).max(0.0)).collect();
        if before.is_empty() {
            return Verdict { is_converged: false, excess: f64::INFINITY };
        }
        let missing_of = |(index, increment): (usize, &f64)| {
            let ratio = earlier.get(index).map_or(SHRINK_FIRST, |earlier| increment / earlier.max(f64::MIN_POSITIVE));
            let shrink = ratio.clamp(SHRINK_MIN, SHRINK_MAX);
            increment * shrink / (1.0 - shrink)
        };
        let missing: f64 = self.increments.iter().enumerate().map(missing_of).sum();
        let (captured, inside): (f64, f64) = (kept.iter().sum(), rest.iter().sum());
        let smallest = (inside + outside - missing).max(0.0);
        let rounding = ROUNDING_SQUARED * self.rank as f64 * captured;
        let is_rounding = missing <= rounding;
        let is_converged = is_rounding || missing <= (self.tolerance * self.tolerance - 1.0) * smallest;
        let excess = if is_rounding { excess(missing, smallest).min(self.tolerance - 1.0) } else { excess(missing, smallest) };
        Verdict { is_converged, excess }
    }
}

/// `sqrt(1 + missing / smallest) - 1`, without cancellation.
fn excess(missing: f64, smallest: f64) -> f64 {
    let ratio = if missing == 0.0 { 0.0 } else { missing / smallest };
    if ratio.is_finite() { ratio / ((1.0 + ratio).sqrt() + 1.0) } else { f64::INFINITY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_knows_nothing() {
        assert!(!Convergence::new(1, 2.0).look(&[4.0, 1.0], 0.0).is_converged);
    }

    #[test]
    fn every_value_is_extrapolated_to_the_limit_of_its_own_series() {
        let mut convergence = Convergence::new(2, 1.001);
        for (large, small) in [(98.0, 8.0), (99.5, 9.0), (99.875, 9.5)] {
            assert!(!convergence.look(&[large, small, 1.0], 3.0).is_converged);
        }
        let verdict = convergence.look(&[99.96875, 9.75, 1.0], 3.0);
        // The first misses a third of its last increment of 0.09375, the second all of its last, 0.25.
        let missing = 0.25f64 + 0.09375 / 3.0;
        assert!((verdict.excess - (1.0 + missing / (4.0 - missing)).sqrt() + 1.0).abs() < 1e-6, "{verdict:?}");
    }

    #[test]
    fn an_energy_that_stands_still_has_converged_and_so_has_rounding() {
        let mut convergence = Convergence::new(2, 1.0 + 1e-6);
        convergence.look(&[3.0, 1.0], 0.0);
        assert_eq!(convergence.look(&[3.0, 1.0], 0.0), Verdict { is_converged: true, excess: 0.0 });
        assert!(convergence.look(&[3.0 + 1e-14, 1.0], 0.0).is_converged);
    }
}
