//! Which cache lines the next tile will read.

use std::ops::Range;

const LINE_BYTES: usize = 64;
/// One line for each step of a full chunk; what does not fit is left to the processor's own prefetchers.
const LINES_MAX: usize = super::CHUNK;

/// Addresses to fetch while the present tile is multiplied. A thousand short streams are more than any prefetcher follows by itself.
/// They are hints and nothing is read through them, so that plain numbers do.
#[derive(Default)]
pub(super) struct Ahead {
    addresses: Vec<usize>,
}

impl Ahead {
    pub fn clear(&mut self) {
        self.addresses.clear();
    }

    /// The lines that these bytes lie in.
    pub fn push(&mut self, bytes: &[u8]) {
        let Range { start, end } = bytes.as_ptr_range();
        let first = start.addr() / LINE_BYTES * LINE_BYTES;
        let room = LINES_MAX - self.addresses.len();
        self.addresses.extend((first..end.addr()).step_by(LINE_BYTES).take(room));
    }

    pub fn addresses(&self) -> &[usize] {
        &self.addresses
    }
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
        assert_eq!(ahead.addresses(), [start, start + 64, start + 128]);
        ahead.push(&[0; LINE_BYTES * (LINES_MAX + 1)]);
        assert_eq!(ahead.addresses().len(), LINES_MAX);
        ahead.clear();
        ahead.push(&[]);
        assert!(ahead.addresses().len() <= 1);
    }
}
