//! What each method takes: operations, bytes, and seconds at measured rates. The formulas are derived in `docs/internals/kernel-maths.md`;
//! the rates are those of `cargo bench -p flexlora-kernel` on two cores with AVX-512. Only their ratios decide.

use crate::plan::{Method, Shape};
use crate::stack::GROUP_COLUMNS;

/// Operations per second of the streaming passes over the factors, in float32.
const STREAMING: f64 = 2.5e11;
/// Of `W += B A` in float32.
const OUTER: f64 = 3.5e11;
/// Of products and QR in float64, on one thread.
const DOUBLE: f64 = 1.5e10;
/// Of the small eigenproblems and SVDs in float64, on one thread.
const SMALL: f64 = 4e9;
/// What a call takes in any case, seconds.
const FIXED: f64 = 2e-4;

/// Floating point operations per cubed side of a square SVD with both sets of vectors (Golub and Van Loan, 4th ed., table 8.6.1).
const SVD_OPERATIONS: f64 = 22.0;
/// Of a symmetric eigenproblem with vectors (the same, section 8.3).
const EIGEN_OPERATIONS: f64 = 9.0;

/// Columns that the iteration adds to its basis at a time: a multiple of the width of a panel.
pub const BLOCK_COLUMNS: usize = 48;

pub struct Cost {
    pub operations: f64,
    pub scratch_bytes: usize,
    pub seconds: f64,
}

/// Blocks for a spectrum between steep and flat: enough columns for the rank, and some steps more for the accuracy.
pub fn blocks_expected(shape: Shape) -> usize {
    (shape.rank.div_ceil(BLOCK_COLUMNS) + 4).min(blocks_max(shape))
}

/// The iteration ends here, converged or not: the basis spans everything, or has grown beyond what it is worth.
pub fn blocks_max(shape: Shape) -> usize {
    let side = shape.out_rows.min(shape.in_cols);
    (side.div_ceil(BLOCK_COLUMNS) + 1).min(3 * shape.rank.div_ceil(BLOCK_COLUMNS) + 24)
}

pub fn cost(method: Method, shape: Shape, blocks: usize) -> Cost {
    let (m, n) = (shape.out_rows as f64, shape.in_cols as f64);
    let (short, long, stack, kept) = (m.min(n), m.max(n), shape.rank_sum as f64, shape.rank as f64);
    let vectors = |side: f64| 4.0 * (m + n) * side * kept.min(side);
    let iteration = Iteration::new(shape, blocks);
    // (operations, operations per second) of each phase.
    let phases: Vec<(f64, f64)> = match method {
        Method::Stacked => {
            vec![(2.0 * stack * stack * (m + n) + vectors(stack), 2.0 * DOUBLE), (SVD_OPERATIONS * stack.powi(3), SMALL)]
        }
        Method::Factored => [vec![(iteration.passes * 2.0 * stack * (m + n), STREAMING)], iteration.small].concat(),
        Method::Accumulated => [vec![(2.0 * m * n * stack, OUTER), (iteration.passes * 2.0 * m * n, STREAMING)], iteration.small].concat(),
        Method::Dense => vec![
            (2.0 * m * n * stack, DOUBLE),
            (2.0 * long * short * short + vectors(short), DOUBLE),
            (SVD_OPERATIONS * short.powi(3), SMALL),
        ],
    };
    Cost {
        operations: phases.iter().map(|(operations, _)| operations).sum(),
        scratch_bytes: scratch_bytes(method, shape),
        seconds: FIXED + phases.iter().map(|(operations, rate)| operations / rate).sum::<f64>(),
    }
}

/// The parts of the iteration that do not depend on how W is multiplied.
struct Iteration {
    /// Columns multiplied with W or its transpose.
    passes: f64,
    small: Vec<(f64, f64)>,
}

impl Iteration {
    fn new(shape: Shape, blocks: usize) -> Self {
        let (m, n) = (shape.out_rows as f64, shape.in_cols as f64);
        let (width, basis) = (BLOCK_COLUMNS as f64, (blocks * BLOCK_COLUMNS) as f64);
        let small = vec![
            // Every block against the basis so far: twice there and back on the side of the basis, once in float64 on the other.
            (4.0 * m * basis * basis + 4.0 * m * basis * width, STREAMING),
            (n * basis * basis + 4.0 * (m + n) * basis * width, DOUBLE),
            (EIGEN_OPERATIONS * basis.powi(3) * (1.0 + blocks as f64 / 4.0) / 3.0, SMALL),
            (2.0 * (m + n) * basis * shape.rank as f64, STREAMING),
            (4.0 * n * (shape.rank as f64).powi(2), DOUBLE),
        ];
        Self { passes: 2.0 * basis, small }
    }
}

/// An upper bound, whatever the terms are; `tests/scratch.rs` holds it against what is allocated.
fn scratch_bytes(method: Method, shape: Shape) -> usize {
    let Shape { out_rows, in_cols, rank_sum, rank } = shape;
    let sides = out_rows.saturating_add(in_cols);
    let (f32s, f64s) = (|count: usize| count.saturating_mul(4), |count: usize| count.saturating_mul(8));
    let answer = f32s(sides.saturating_mul(rank)).saturating_add(f64s(sides.saturating_mul(rank).saturating_mul(2)));
    let proof = f64s(sides.saturating_mul(32));
    let basis = blocks_max(shape) * BLOCK_COLUMNS;
    let iteration = f32s(sides.saturating_mul(basis + 8 * BLOCK_COLUMNS)).saturating_add(f64s(basis * basis * 8));
    let held = match method {
        Method::Stacked => {
            f64s(sides.saturating_mul(rank_sum).saturating_mul(2)).saturating_add(f64s(rank_sum.saturating_mul(rank_sum) * 8))
        }
        Method::Factored => {
            f32s(sides.saturating_mul(rank_sum)).saturating_add(f32s(rank_sum.saturating_mul(BLOCK_COLUMNS + 16))).saturating_add(iteration)
        }
        Method::Accumulated => {
            f32s(out_rows.saturating_mul(in_cols)).saturating_add(f32s(sides.saturating_mul(1024))).saturating_add(iteration)
        }
        Method::Dense => f64s(out_rows.saturating_mul(in_cols).saturating_mul(4)).saturating_add(f64s(sides.saturating_mul(GROUP_COLUMNS))),
    };
    held.saturating_add(answer).saturating_add(proof).saturating_add(1 << 20)
}
