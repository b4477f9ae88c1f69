//! Float32 storage that starts on a cache line, so that no vector of a panel's row straddles two.

const PER_LINE: usize = 16;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; PER_LINE]);

#[derive(Clone, Default)]
pub(super) struct Lines(Vec<Line>);

impl Lines {
    /// At least `len` zeros: as many as fill the last line.
    pub fn zeros(len: usize) -> Self {
        Self(vec![Line([0.0; PER_LINE]); len.div_ceil(PER_LINE)])
    }

    pub fn as_slice(&self) -> &[f32] {
        // SAFETY: a `Line` is exactly sixteen f32 without padding (repr(C), 64 bytes), and the vector's lines are contiguous.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * PER_LINE) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above, and the exclusive borrow of the vector becomes the exclusive borrow of its floats.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * PER_LINE) }
    }

    /// The same storage as the bytes that a float32 factor comes in.
    #[cfg(target_endian = "little")]
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: every byte of a float is initialised, and a byte has no alignment.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * size_of::<Line>()) }
    }
}

#[cfg(target_endian = "big")]
compile_error!("panels are read as the little-endian bytes that factors come in: this processor would need a copy");
