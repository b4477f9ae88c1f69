//! The products that aggregation is made of: `W = [B_1 … B_K] diag(c) [A_1; …; A_K]` times skinny float32 blocks, and its transpose.
//!
//! Read `panel` for the skinny blocks, `pieces` for how factors are named where they lie, then one product a file: `tall`,
//! `tall_transposed`, `wide`, `wide_transposed`, `outer`. All of them cut the work into tiles (`tile`), convert a tile of the factors to
//! float32 in the first-level cache, and multiply it with the instructions that the processor has (`kernels`, one file for each set).
//!
//! # The order of every sum
//!
//! An entry of a result is one chain of fused multiply-adds from zero, over the reduction index ascending, for each chunk of that index;
//! the chains are added in their order. Chunks are counted from the start of the concatenation, whatever pieces it is made of: `CHUNK`
//! entries, or `BAND` for `wide_transposed_times`. Vector lanes and threads only ever divide the entries of the result among themselves.
//! Therefore the bytes are the same for every number of threads and every set of instructions, and a call may be split in two at a
//! multiple of `CHUNK` of the reduction index, the second with `Keep::Add`. The one exception is the payload of a NaN.

mod ahead;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod isa;
mod kernels;
mod lines;
mod outer;
mod panel;
mod peak;
mod pieces;
mod portable;
mod scale;
mod scan;
mod tall;
mod tall_transposed;
mod threads;
mod tile;
mod wide;
mod wide_transposed;

pub use isa::Isa;
pub use outer::{GROUP, add_outer};
pub use panel::{Panel, WIDTH};
pub use peak::measured_peak;
pub use pieces::{TallPiece, WideRow};
pub use scale::scale_rows;
pub use scan::{Scan, scan};
pub use tall::tall_times;
pub use tall_transposed::tall_transposed_times;
pub use threads::{Scratch, Threads};
pub use tile::{CHUNK, Keep};
pub use wide::wide_times;
pub use wide_transposed::{BAND, wide_transposed_times};
