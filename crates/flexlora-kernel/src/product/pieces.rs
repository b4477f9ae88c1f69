//! Factors where they lie: which bytes of them a product reads.

use super::ahead::Ahead;
use crate::factor::Dtype;

/// Columns `first .. first + cols` of a row-major matrix of little-endian elements, at any alignment: all or some columns of a `B_k`.
#[derive(Clone, Copy, Debug)]
pub struct TallPiece<'a> {
    pub dtype: Dtype,
    pub bytes: &'a [u8],
    /// Elements from one row to the next.
    pub stride: usize,
    pub first: usize,
    pub cols: usize,
}

/// One row of an `A_k`: contiguous little-endian elements, at any alignment.
#[derive(Clone, Copy, Debug)]
pub struct WideRow<'a> {
    pub dtype: Dtype,
    pub bytes: &'a [u8],
}

impl<'a> WideRow<'a> {
    /// The bytes of `count` elements from `first`.
    pub(super) fn elements(&self, first: usize, count: usize) -> &'a [u8] {
        let size = self.dtype.bytes();
        &self.bytes[first * size..(first + count) * size]
    }
}

/// Panics unless every row has `cols` elements.
pub(super) fn assert_wide(a: &[WideRow<'_>], cols: usize) {
    for (index, row) in a.iter().enumerate() {
        let (got, needed) = (row.bytes.len(), cols * row.dtype.bytes());
        assert!(got == needed, "row {index} of A has {got} bytes, {cols} elements of its type have {needed}");
    }
}

/// Some columns of a piece, whose bytes are known to hold all its rows.
pub(super) struct Cut<'a> {
    piece: TallPiece<'a>,
    rows: usize,
    /// Column of the chunk that the first column is.
    at: usize,
}

impl<'a> Cut<'a> {
    pub fn dtype(&self) -> Dtype {
        self.piece.dtype
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn cols(&self) -> usize {
        self.piece.cols
    }

    pub fn stride_bytes(&self) -> usize {
        self.piece.stride * self.piece.dtype.bytes()
    }

    /// From the first element of row `row` to the last of row `row + count - 1`, `count >= 1`: element `(i, j)` of these rows stands
    /// `i * stride_bytes + j * dtype.bytes()` bytes from the start, for every `i < count` and `j < cols`.
    pub fn span(&self, row: usize, count: usize) -> &'a [u8] {
        let TallPiece { dtype, bytes, stride, first, cols } = self.piece;
        debug_assert!(count >= 1 && row + count <= self.rows);
        &bytes[(row * stride + first) * dtype.bytes()..((row + count - 1) * stride + first + cols) * dtype.bytes()]
    }

    /// Names the lines that these rows lie in.
    pub fn push_rows(&self, ahead: &mut Ahead, row: usize, count: usize) {
        let bytes = self.span(row, count);
        if self.piece.cols == self.piece.stride {
            ahead.push(bytes);
        } else {
            ahead.push_rows(bytes, self.stride_bytes(), self.piece.cols * self.piece.dtype.bytes());
        }
    }
}

/// Consecutive columns of the concatenation `[B_1 … B_K]`.
pub(super) struct Chunk<'a> {
    /// Column of the concatenation that the first column is.
    pub start: usize,
    pub cols: usize,
    pub cuts: Vec<Cut<'a>>,
}

/// Cuts the concatenation into chunks of `chunk_cols` columns (the last may have fewer), of cuts that have at most `cut_cols` each.
/// Panics when a piece does not hold `rows` rows.
pub(super) fn chunks<'a>(pieces: &[TallPiece<'a>], rows: usize, chunk_cols: usize, cut_cols: usize) -> Vec<Chunk<'a>> {
    let mut chunks: Vec<Chunk<'a>> = Vec::new();
    let mut total = 0;
    for (index, &piece) in pieces.iter().enumerate() {
        assert_holds(index, &piece, rows);
        let (mut first, end) = (piece.first, piece.first + piece.cols);
        while first < end {
            if total % chunk_cols == 0 {
                chunks.push(Chunk { start: total, cols: 0, cuts: Vec::new() });
            }
            let chunk = chunks.last_mut().expect("a chunk was begun at column 0");
            let cols = (end - first).min(cut_cols).min(chunk_cols - chunk.cols);
            chunk.cuts.push(Cut { piece: TallPiece { first, cols, ..piece }, rows, at: chunk.cols });
            chunk.cols += cols;
            (first, total) = (first + cols, total + cols);
        }
    }
    chunks
}

/// Columns of the concatenation.
pub(super) fn total_cols(pieces: &[TallPiece<'_>]) -> usize {
    pieces.iter().map(|piece| piece.cols).sum()
}

fn assert_holds(index: usize, piece: &TallPiece<'_>, rows: usize) {
    let TallPiece { dtype, bytes, stride, first, cols } = *piece;
    assert!(first + cols <= stride, "piece {index} ends at column {} of rows of {stride}", first + cols);
    let needed = if rows == 0 { 0 } else { ((rows - 1) * stride + first + cols) * dtype.bytes() };
    assert!(bytes.len() >= needed, "piece {index} has {} bytes, its {rows} rows need {needed}", bytes.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: &[u8], stride: usize, first: usize, cols: usize) -> TallPiece<'_> {
        TallPiece { dtype: Dtype::Bf16, bytes, stride, first, cols }
    }

    #[test]
    fn chunks_are_counted_over_the_concatenation_whatever_its_pieces() {
        let bytes = [0; 64];
        let pieces = [piece(&bytes, 3, 0, 3), piece(&bytes, 7, 1, 6), piece(&bytes, 2, 2, 0), piece(&bytes, 1, 0, 1)];
        let chunks = chunks(&pieces, 2, 4, 2);
        let starts: Vec<(usize, usize)> = chunks.iter().map(|chunk| (chunk.start, chunk.cols)).collect();
        assert_eq!(starts, [(0, 4), (4, 4), (8, 2)]);
        let cuts: Vec<Vec<(usize, usize)>> = chunks.iter().map(|c| c.cuts.iter().map(|cut| (cut.at(), cut.cols())).collect()).collect();
        assert_eq!(cuts, [vec![(0, 2), (2, 1), (3, 1)], vec![(0, 2), (2, 2)], vec![(0, 1), (1, 1)]]);
        assert_eq!(total_cols(&pieces), 10);
    }

    #[test]
    fn a_span_goes_from_the_first_element_to_the_last() {
        let bytes: Vec<u8> = (0..64).collect();
        let chunks = chunks(&[piece(&bytes, 7, 1, 6)], 3, 4, 4);
        assert_eq!(chunks[1].cuts[0].span(1, 2), &bytes[(7 + 5) * 2..(14 + 7) * 2]);
    }

    #[test]
    #[should_panic(expected = "piece 1 has 10 bytes, its 3 rows need 12")]
    fn a_piece_that_is_too_short_is_named() {
        let bytes = [0; 12];
        chunks(&[piece(&bytes, 2, 0, 2), piece(&bytes[..10], 2, 0, 2)], 3, 4, 4);
    }
}
