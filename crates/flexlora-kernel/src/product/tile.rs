//! The unit of work: a tile of at most eight rows of the left operand times 48 columns of the right one.

use super::kernels::Kernels;
use super::panel::{Panel, WIDTH};

/// Entries of the reduction index in one chain of sums. A call may be split at a multiple of it.
pub const CHUNK: usize = 512;
/// Rows of a tile.
pub(super) const HEIGHT: usize = 8;
/// Floats from one row to the next of a tile that lies along: sixteen more than a chunk, so that vectors may be stored past the end of a
/// row, and so that the rows do not compete for the same lines of the cache.
pub(super) const ALONG: usize = CHUNK + 16;
/// Floats from one tile to the next of tiles that lie across, for the same reason.
pub(super) const ACROSS: usize = HEIGHT * CHUNK + 16;

/// What a product does with what stands in the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Overwrite,
    Add,
}

/// How a packed tile of the left operand lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Element (row, k) at `row * ALONG + k`.
    Along,
    /// Element (row, k) at `k * HEIGHT + row`.
    Across,
}

impl Layout {
    pub const fn row_stride(self) -> usize {
        match self {
            Self::Along => ALONG,
            Self::Across => 1,
        }
    }

    pub const fn step_stride(self) -> usize {
        match self {
            Self::Along => 1,
            Self::Across => HEIGHT,
        }
    }
}

/// A packed tile of the left operand: `height` (1 to `HEIGHT`) rows, `steps` entries of the reduction index.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    pub layout: Layout,
    pub height: usize,
    pub steps: usize,
    pub floats: &'a [f32],
}

/// `out (+)= tile * right`.
pub(super) struct Product<'a> {
    pub tile: Tile<'a>,
    /// steps x `WIDTH`, row-major.
    pub right: &'a [f32],
    /// height x `WIDTH`, rows `stride` floats apart.
    pub out: &'a mut [f32],
    pub stride: usize,
    pub keep: Keep,
    /// Addresses to fetch meanwhile; if there are more than steps, not all are.
    pub ahead: &'a [usize],
}

impl Product<'_> {
    /// What the unchecked loops of every set of instructions rely on.
    pub fn assert_lengths(&self) {
        let Tile { layout, height, steps, floats } = self.tile;
        assert!((1..=HEIGHT).contains(&height) && steps >= 1);
        assert!(floats.len() > (height - 1) * layout.row_stride() + (steps - 1) * layout.step_stride());
        assert!(self.right.len() >= steps * WIDTH);
        assert!(self.out.len() >= (height - 1) * self.stride + WIDTH);
    }
}

/// Rows `row ..` of each of the `out` blocks `(+)=` the tile times rows `from ..` of the same panel of `right`, fetching `ahead` meanwhile.
pub(super) fn multiply_each(
    kernels: Kernels,
    tile: Tile<'_>,
    (right, from): (&[Panel], usize),
    (out, row): (&mut [&mut [f32]], usize),
    keep: Keep,
    ahead: &[usize],
) {
    let mut ahead = ahead.chunks(ahead.len().div_ceil(right.len()).max(1));
    for (right, out) in right.iter().zip(out) {
        kernels.multiply(Product {
            tile,
            right: &right.as_slice()[from * WIDTH..(from + tile.steps) * WIDTH],
            out: &mut out[row * WIDTH..(row + tile.height) * WIDTH],
            stride: WIDTH,
            keep,
            ahead: ahead.next().unwrap_or_default(),
        });
    }
}
