//! What each method takes: operations, bytes, and seconds at measured rates. The formulas are derived in `docs/internals/kernel-maths.md`;
//! the rates are those of `cargo bench -p flexlora-kernel` on two cores with AVX-512. Only their ratios decide.

use crate::plan::{Method, Shape};
use crate::product::{CHUNK, WIDTH};
use crate::proof::{PROBES, READ_ROWS};
use crate::stack::GROUP_COLUMNS;

/// Operations per second of the streaming passes over the factors, in float32.
const STREAMING: f64 = 1.7e11;
/// Of `W += B A` in float32.
const OUTER: f64 = 2.2e11;
/// Of products and QR in float64, on one thread.
const DOUBLE: f64 = 4e10;
/// Of the small eigenproblems in float64, on one thread.
const SMALL: f64 = 4e9;
/// What a block of the iteration takes in any case, seconds: its orthonormal bases, and waiting for threads.
const BLOCK: f64 = 6e-4;
/// What a call takes in any case, seconds.
const FIXED: f64 = 2e-4;

/// Floating point operations per cubed side of a square SVD with both sets of vectors (Golub and Van Loan, 4th ed., table 8.6.1).
const SVD_OPERATIONS: f64 = 22.0;
/// Of a symmetric eigenproblem with vectors (the same, section 8.3).
const EIGEN_OPERATIONS: f64 = 9.0;

/// Columns that the iteration adds to its basis at a time: a multiple of the width of a panel.
pub const BLOCK_COLUMNS: usize = WIDTH;

/// Bytes that do not grow with the shape: everything small, and for the iterations the tiles and float64 copies of up to eight threads.
const SMALL_BYTES: f64 = 1e6;
const TILES_BYTES: f64 = 3e6;

pub struct Cost {
    pub operations: f64,
    pub scratch_bytes: usize,
    pub seconds: f64,
}

/// Operations per second of an SVD in float64, which grows with the side as more of it becomes products.
fn svd_rate(side: f64) -> f64 {
    6e10 * side / (side + 170.0)
}

/// Blocks for a spectrum between steep and flat: enough columns for the rank, and some steps more for the accuracy.
pub fn blocks_expected(shape: Shape) -> usize {
    (shape.rank.div_ceil(BLOCK_COLUMNS) + 4).min(shape.rank_sum.div_ceil(BLOCK_COLUMNS).max(1)).min(blocks_max(shape))
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
            vec![(2.0 * stack * stack * (m + n) + vectors(stack), DOUBLE), (SVD_OPERATIONS * stack.powi(3), svd_rate(stack))]
        }
        Method::Factored => [vec![(iteration.passes * 2.0 * stack * (m + n), STREAMING)], iteration.small].concat(),
        Method::Accumulated => [vec![(2.0 * m * n * stack, OUTER), (iteration.passes * 2.0 * m * n, STREAMING)], iteration.small].concat(),
        Method::Dense => vec![
            (2.0 * m * n * stack, DOUBLE),
            (2.0 * long * short * short + vectors(short), DOUBLE),
            (SVD_OPERATIONS * short.powi(3), svd_rate(short)),
        ],
    };
    Cost {
        operations: phases.iter().map(|(operations, _)| operations).sum(),
        scratch_bytes: scratch_bytes(method, shape),
        seconds: FIXED + BLOCK * blocks as f64 + phases.iter().map(|(operations, rate)| operations / rate).sum::<f64>(),
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

/// An upper bound, from what is alive at once at the fullest moment; `tests/scratch.rs` holds it against what is allocated. In float64,
/// which saturates where a shape is beyond every machine. What `faer` keeps for each thread from call to call (twice the third-level
/// cache, to pack products in) is not part of it.
fn scratch_bytes(method: Method, shape: Shape) -> usize {
    // Columns of `faer`'s matrices begin at multiples of 16 values.
    let [m, n, stack, kept] = [shape.out_rows, shape.in_cols, shape.rank_sum, shape.rank].map(|count| (count as f64 / 16.0).ceil() * 16.0);
    let (sides, short, long) = (m + n, m.min(n), m.max(n));
    // What is handed out, in float32, beside the decomposition and the residual's copy of what is handed out, in float64.
    let answer = (4.0 + 8.0 + 8.0) * sides * kept;
    // Probes and their image, twice, and rows of one factor as the proof reads them: all columns may be of one term.
    let proof = 8.0 * (2.0 * sides * PROBES as f64 + READ_ROWS as f64 * long.max(stack) + stack * PROBES as f64);
    let basis = (blocks_max(shape) * BLOCK_COLUMNS) as f64;
    let (width, group) = (BLOCK_COLUMNS as f64, CHUNK as f64);
    let iteration = {
        // Q, Z, the panels under way and their float64 copies; H, its copy, its eigenvectors and the solver's work.
        let space = 4.0 * sides * (basis + 8.0 * width) + 8.0 * 7.0 * basis * basis;
        // The eigenvectors that are kept, divided by their values, and in float32.
        space + 12.0 * basis * kept + answer + TILES_BYTES
    };
    // Each column's row of a panel between two products, and where its term lies: a term may have a single column.
    let columns = stack * (4.0 * width + 320.0);
    let bytes = match method {
        // B once, A twice, each again where Householder reflections take the place of the Gram matrix; for both sides the Gram matrix, its
        // eigenvectors with the solver's work, weights and R; then the core and its SVD.
        Method::Stacked => 8.0 * (3.0 * sides * stack + 18.0 * stack * stack) + answer + proof,
        Method::Factored => 4.0 * sides * stack + columns + iteration,
        // The columns that wait for their group, and those of the term that completes it; tiles of each thread.
        Method::Accumulated => 4.0 * m * n + 4.0 * sides * 2.0 * group + columns.min(8.0 * group * 512.0) + 528.0 * m + iteration,
        // W, U and V, and the solver's: the bidiagonal form of W (of its triangle, where a QR goes first), its singular vectors, twice.
        Method::Dense => 8.0 * (3.0 * long * short + 9.0 * short * short + 256.0 * short + GROUP_COLUMNS as f64 * sides) + answer + proof,
    };
    (bytes + SMALL_BYTES) as usize
}
