//! Which method is the cheapest for a shape. A new method is one more entry of `METHODS`.

/// How W is decomposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// QR of the stacked factors and the SVD of a small core; never forms W.
    Stacked,
    /// Accumulates W and decomposes it.
    Dense,
}

/// The sizes that decide.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub out_rows: usize,
    pub in_cols: usize,
    /// Sum of the terms' ranks.
    pub rank_sum: usize,
    /// Components wanted.
    pub rank: usize,
}

const METHODS: [Method; 2] = [Method::Stacked, Method::Dense];

/// Floating point operations per cubed side of a square SVD with both sets of vectors (Golub and Van Loan, 4th ed., table 8.6.1).
const SVD_FLOPS: f64 = 22.0;

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Method::Stacked => "stacked",
            Method::Dense => "dense",
        }
    }

    /// A tall QR needs more rows than columns on both sides.
    fn applies(self, shape: Shape) -> bool {
        match self {
            Method::Stacked => shape.rank_sum < shape.out_rows.min(shape.in_cols),
            Method::Dense => true,
        }
    }

    /// Leading terms only: what they leave out is smaller than the difference between the methods.
    fn flops(self, shape: Shape) -> f64 {
        let (m, n) = (shape.out_rows as f64, shape.in_cols as f64);
        let (short, long) = (m.min(n), m.max(n));
        let (stack, kept) = (shape.rank_sum as f64, shape.rank as f64);
        let vectors = |side: f64| 4.0 * (m + n) * side * kept.min(side);
        match self {
            Method::Stacked => 2.0 * stack * stack * (m + n) + SVD_FLOPS * stack.powi(3) + vectors(stack),
            Method::Dense => 2.0 * m * n * stack + 2.0 * long * short * short + SVD_FLOPS * short.powi(3) + vectors(short),
        }
    }
}

/// The method with the fewest operations among those that apply; the first of equals.
pub fn plan(shape: Shape) -> Method {
    METHODS
        .into_iter()
        .filter(|method| method.applies(shape))
        .min_by(|a, b| a.flops(shape).total_cmp(&b.flops(shape)))
        .unwrap_or(Method::Dense)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cost formulas have no crossing below min(out, in): docs/internals/kernel-maths.md shows why.
    #[test]
    fn stacks_exactly_while_the_rank_sum_is_below_the_short_side() {
        for out_rows in [1, 2, 3, 8, 64, 4096, 14336] {
            for in_cols in [1, 2, 5, 64, 1024, 4096] {
                for rank_sum in [0, 1, 2, 7, 63, 64, 65, 1000, 4095, 4096, 20000] {
                    for rank in [1, 2, 64, 4096] {
                        let method = plan(Shape { out_rows, in_cols, rank_sum, rank });
                        let stacks = rank_sum < out_rows.min(in_cols);
                        assert_eq!(method == Method::Stacked, stacks, "{out_rows}x{in_cols}, R = {rank_sum}, rank {rank}");
                    }
                }
            }
        }
    }
}
