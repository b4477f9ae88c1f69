//! Which cache lines the next tiles will read.

const LINE_BYTES: usize = 64;
/// What `wide_transposed_times` packs at once, 64 rows of 4 KiB that may begin inside a line; what does not fit is left to the processor.
const LINES_MAX: usize = 64 * 65;

/// Addresses to fetch while the present tiles are multiplied. A thousand short streams are more than any prefetcher follows by itself.
/// They are hints and nothing is read through them, so that plain numbers do.
pub(super) struct Ahead {
    addresses: Box<[usize]>,
    count: usize,
}

impl Default for Ahead {
    fn default() -> Self {
        Self { addresses: vec![0; LINES_MAX].into(), count: 0 }
    }
}

impl Ahead {
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// The lines that these bytes lie in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.count += write_lines(&mut self.addresses[self.count..], bytes.as_ptr().addr(), bytes.len());
    }

    /// The lines of rows of `row_bytes` bytes that begin `stride` bytes apart, the last of which ends where `bytes` end.
    pub fn push_rows(&mut self, bytes: &[u8], stride: usize, row_bytes: usize) {
        let mut count = self.count;
        for offset in (0..bytes.len()).step_by(stride) {
            count += write_lines(&mut self.addresses[count..], bytes.as_ptr().addr() + offset, row_bytes);
        }
        self.count = count;
    }

    /// The part of the addresses that belongs to part `index` of `parts` of the work at hand.
    pub fn share(&self, index: usize, parts: usize) -> &[usize] {
        let each = self.count.div_ceil(parts);
        &self.addresses[self.count.min(index * each)..self.count.min((index + 1) * each)]
    }
}

/// The lines of `len` bytes from `start`, as many as there is room for; how many that is.
#[inline]
fn write_lines(room: &mut [usize], start: usize, len: usize) -> usize {
    let first = start / LINE_BYTES * LINE_BYTES;
    let lines = if len == 0 { 0 } else { (start + len - first).div_ceil(LINE_BYTES) };
    let count = lines.min(room.len());
    for (index, address) in room[..count].iter_mut().enumerate() {
        *address = first + index * LINE_BYTES;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_line_once_and_no_more_than_the_bound() {
        let lines = super::super::lines::Lines::zeros(16 * 3);
        let start = lines.as_bytes().as_ptr().addr();
        let mut ahead = Ahead::default();
        ahead.push(&lines.as_bytes()[60..130]);
        assert_eq!(ahead.share(0, 1), [start, start + 64, start + 128]);
        ahead.push(&[0; LINE_BYTES * (LINES_MAX + 1)]);
        assert_eq!(ahead.share(0, 1).len(), LINES_MAX);
        ahead.clear();
        ahead.push(&[]);
        assert!(ahead.share(0, 1).is_empty());
    }

    #[test]
    fn rows_are_named_one_by_one_and_divided_among_the_parts() {
        let lines = super::super::lines::Lines::zeros(16 * 8);
        let start = lines.as_bytes().as_ptr().addr();
        let mut ahead = Ahead::default();
        ahead.push_rows(&lines.as_bytes()[8..8 + 192 + 192 + 60], 192, 60);
        assert_eq!(ahead.share(0, 1), [0, 64, 192, 256, 384, 448].map(|offset| start + offset));
        assert_eq!(ahead.share(1, 4), [192, 256].map(|offset| start + offset));
        assert!(ahead.share(3, 4).is_empty());
    }
}
