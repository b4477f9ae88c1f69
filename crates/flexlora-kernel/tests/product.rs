//! The fast products against loops that do what their documentation says, byte for byte.

mod product_terms;

use flexlora_kernel::product::{
    BAND, CHUNK, GROUP, Isa, Keep, Panel, Threads, WIDTH, add_outer, scale_rows, tall_times, tall_transposed_times, wide_times,
    wide_transposed_times,
};
use product_terms::{Terms, random_panels};

/// Shapes (rows of B, columns of A, ranks) on both sides of every boundary of a tile, a chunk and a band.
fn shapes() -> Vec<Terms> {
    let shapes: [(usize, usize, &[usize]); 9] = [
        (37, 530, &[1, 8, 30, 200, 8, 7, 290]),
        (530, 29, &[3, 33, 5]),
        (13, 50, &[600, 1, 500]),
        (1, 1, &[1]),
        (1, 97, &[2, 2]),
        (70, 1, &[17]),
        (8, 48, &[512]),
        (5, 6, &[]),
        (16, 300, &[8, 8, 0, 8]),
    ];
    shapes.iter().enumerate().map(|(seed, &(rows, cols, ranks))| Terms::random(seed as u64, rows, cols, ranks)).collect()
}

/// Every set of instructions on one thread, and the best one on several.
fn all_threads() -> Vec<Threads> {
    let budgets = Isa::available().into_iter().map(|isa| (1, isa)).chain([(2, Isa::detect()), (3, Isa::detect())]);
    budgets.map(|(count, isa)| Threads::with_isa(count, isa).unwrap()).collect()
}

/// `out (+)= left * right`, one chain of fused multiply-adds for each chunk of k, the chains added in their order.
fn chained(left: impl Fn(usize, usize) -> f32, chunk: usize, right: &[Panel], out: &mut [Panel], keep: Keep) {
    for (right, out) in right.iter().zip(out) {
        for row in 0..out.rows() {
            for (j, entry) in out.row_mut(row).iter_mut().enumerate() {
                let mut sum = (keep == Keep::Add).then_some(*entry);
                for start in (0..right.rows()).step_by(chunk) {
                    let chain = (start..right.rows().min(start + chunk)).fold(0.0, |chain, k| left(row, k).mul_add(right.row(k)[j], chain));
                    sum = Some(sum.map_or(chain, |sum| sum + chain));
                }
                *entry = sum.unwrap_or(0.0);
            }
        }
    }
}

fn assert_same(threads: &Threads, got: &[Panel], want: &[Panel]) {
    for (got, want) in got.iter().zip(want) {
        let differs = got.as_slice().iter().zip(want.as_slice()).position(|(got, want)| got.to_bits() != want.to_bits());
        assert_eq!(differs, None, "{:?} with {} threads differs at this entry of {} rows", threads.isa(), threads.count(), got.rows());
    }
}

#[test]
fn tall_times_follows_the_documented_order() {
    for terms in shapes() {
        let t = random_panels(1, 2, terms.rank_sum());
        for keep in [Keep::Overwrite, Keep::Add] {
            let before = random_panels(2, 2, terms.rows);
            let mut want = before.clone();
            chained(|row, k| terms.b(row, k), CHUNK, &t, &mut want, keep);
            for threads in all_threads() {
                let mut got = before.clone();
                tall_times(&threads, &terms.pieces(), terms.rows, &t, &mut got, keep);
                assert_same(&threads, &got, &want);
            }
        }
    }
}

#[test]
fn tall_transposed_times_follows_the_documented_order() {
    for terms in shapes() {
        let q = random_panels(3, 2, terms.rows);
        let mut want = random_panels(4, 2, terms.rank_sum());
        let before = want.clone();
        chained(|row, k| terms.b(k, row), CHUNK, &q, &mut want, Keep::Overwrite);
        for threads in all_threads() {
            let mut got = before.clone();
            tall_transposed_times(&threads, &terms.pieces(), terms.rows, &q, &mut got);
            assert_same(&threads, &got, &want);
        }
    }
}

#[test]
fn wide_times_follows_the_documented_order() {
    for terms in shapes() {
        let x = random_panels(5, 2, terms.cols);
        let mut want = random_panels(6, 2, terms.rank_sum());
        let before = want.clone();
        chained(|row, k| terms.a(row, k), CHUNK, &x, &mut want, Keep::Overwrite);
        for threads in all_threads() {
            let mut got = before.clone();
            wide_times(&threads, &terms.wide_rows(), terms.cols, &x, &mut got);
            assert_same(&threads, &got, &want);
        }
    }
}

#[test]
fn wide_transposed_times_follows_the_documented_order() {
    for terms in shapes() {
        let s = random_panels(7, 2, terms.rank_sum());
        for keep in [Keep::Overwrite, Keep::Add] {
            let before = random_panels(8, 2, terms.cols);
            let mut want = before.clone();
            chained(|row, k| terms.a(k, row), BAND, &s, &mut want, keep);
            for threads in all_threads() {
                let mut got = before.clone();
                wide_transposed_times(&threads, &terms.wide_rows(), terms.cols, &s, &mut got, keep);
                assert_same(&threads, &got, &want);
            }
        }
    }
}

#[test]
fn add_outer_follows_the_documented_order() {
    for terms in shapes() {
        let mut want = terms.random_matrix();
        let before = want.clone();
        for (index, entry) in want.iter_mut().enumerate() {
            let (row, col) = (index / terms.cols, index % terms.cols);
            for start in (0..terms.rank_sum()).step_by(GROUP) {
                let range = start..terms.rank_sum().min(start + GROUP);
                *entry += range.fold(0.0, |chain, k| terms.b(row, k).mul_add(terms.a(k, col) * terms.coefficients[k], chain));
            }
        }
        for threads in all_threads() {
            let mut got = before.clone();
            add_outer(&threads, &terms.pieces(), &terms.wide_rows(), &terms.coefficients, &mut got, terms.rows, terms.cols);
            let differs = got.iter().zip(&want).position(|(got, want)| got.to_bits() != want.to_bits());
            assert_eq!(differs, None, "{:?} with {} threads", threads.isa(), threads.count());
        }
    }
}

#[test]
fn a_call_that_is_split_at_a_multiple_of_a_chunk_gives_the_same_bytes() {
    let terms = Terms::random(20, 37, 61, &[200, 300, 30, 400, 8, 200]);
    let parts = terms.split_at(CHUNK);
    for threads in all_threads() {
        let t = random_panels(9, 1, terms.rank_sum());
        let halves = [panel_rows(&t[0], 0, CHUNK), panel_rows(&t[0], CHUNK, terms.rank_sum() - CHUNK)];
        let (mut once, mut twice) = ([Panel::zeros(terms.rows)], [Panel::zeros(terms.rows)]);
        tall_times(&threads, &terms.pieces(), terms.rows, &t, &mut once, Keep::Overwrite);
        tall_times(&threads, &parts[0].pieces(), terms.rows, &halves[..1], &mut twice, Keep::Overwrite);
        tall_times(&threads, &parts[1].pieces(), terms.rows, &halves[1..], &mut twice, Keep::Add);
        assert_same(&threads, &twice, &once);

        let (mut once, mut twice) = ([Panel::zeros(terms.cols)], [Panel::zeros(terms.cols)]);
        wide_transposed_times(&threads, &terms.wide_rows(), terms.cols, &t, &mut once, Keep::Overwrite);
        wide_transposed_times(&threads, &terms.wide_rows()[..CHUNK], terms.cols, &halves[..1], &mut twice, Keep::Overwrite);
        wide_transposed_times(&threads, &terms.wide_rows()[CHUNK..], terms.cols, &halves[1..], &mut twice, Keep::Add);
        assert_same(&threads, &twice, &once);

        let (mut once, mut twice) = (vec![0.0; terms.rows * terms.cols], vec![0.0; terms.rows * terms.cols]);
        add_outer(&threads, &terms.pieces(), &terms.wide_rows(), &terms.coefficients, &mut once, terms.rows, terms.cols);
        for part in &parts {
            add_outer(&threads, &part.pieces(), &part.wide_rows(), part.coefficients(), &mut twice, terms.rows, terms.cols);
        }
        assert_eq!(once, twice);
    }
}

fn panel_rows(panel: &Panel, first: usize, rows: usize) -> Panel {
    let mut part = Panel::zeros(rows);
    part.as_mut_slice().copy_from_slice(&panel.as_slice()[first * WIDTH..(first + rows) * WIDTH]);
    part
}

#[test]
fn sums_are_as_accurate_as_float32_allows() {
    let terms = Terms::random(21, 40, 1500, &[300, 700, 8, 500]);
    let threads = Threads::new(2).unwrap();
    let x = random_panels(10, 1, terms.cols);
    let mut t = [Panel::zeros(terms.rank_sum())];
    wide_times(&threads, &terms.wide_rows(), terms.cols, &x, &mut t);
    scale_rows(&threads, &mut t, &terms.coefficients);
    let mut y = [Panel::zeros(terms.rows)];
    tall_times(&threads, &terms.pieces(), terms.rows, &t, &mut y, Keep::Overwrite);
    for (k, coefficient) in terms.coefficients.iter().enumerate() {
        let products = (0..terms.cols).map(|i| f64::from(terms.a(k, i)) * f64::from(x[0].row(i)[5]) * f64::from(*coefficient));
        assert_close(t[0].row(k)[5], products);
    }
    for row in 0..terms.rows {
        assert_close(y[0].row(row)[47], (0..terms.rank_sum()).map(|k| f64::from(terms.b(row, k)) * f64::from(t[0].row(k)[47])));
    }
}

/// Within the error of a random walk of roundings: far below the worst case, far above what is found (about 1e-6).
fn assert_close(got: f32, products: impl Iterator<Item = f64>) {
    let (sum, sum_of_squares) = products.fold((0.0, 0.0), |(sum, squares), product| (sum + product, squares + product * product));
    assert!((f64::from(got) - sum).abs() <= 1e-5 * sum_of_squares.sqrt(), "{got} is not {sum}");
}

#[test]
fn what_is_not_finite_reaches_the_result() {
    for threads in all_threads() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut q = random_panels(11, 1, 20);
            q[0].row_mut(9)[3] = bad;
            let right = random_panels(12, 1, WIDTH);
            let mut y = [Panel::zeros(20)];
            tall_times(&threads, &[q[0].piece(WIDTH)], 20, &right, &mut y, Keep::Overwrite);
            let bad_rows: Vec<usize> = (0..20).filter(|row| y[0].row(*row).iter().any(|entry| !entry.is_finite())).collect();
            assert_eq!(bad_rows, [9]);
            let mut s = [Panel::zeros(WIDTH)];
            tall_transposed_times(&threads, &[q[0].piece(WIDTH)], 20, &random_panels(13, 1, 20), &mut s);
            let bad_rows: Vec<usize> = (0..WIDTH).filter(|row| s[0].row(*row).iter().any(|entry| !entry.is_finite())).collect();
            assert_eq!(bad_rows, [3]);
        }
    }
}

#[test]
fn denormals_are_not_flushed() {
    for threads in all_threads() {
        let (mut left, mut right) = (Panel::zeros(1), Panel::zeros(1));
        (left.row_mut(0)[0], right.row_mut(0)[7]) = (f32::from_bits(3), 0.5);
        let mut y = [Panel::zeros(1)];
        tall_times(&threads, &[left.piece(1)], 1, &[right], &mut y, Keep::Overwrite);
        assert_eq!(y[0].row(0)[7].to_bits(), 2, "1.5 units round to the even 2");
    }
}

#[test]
#[should_panic(expected = "panel 0 of T has 9 rows, the product needs 8")]
fn a_panel_of_another_height_is_refused() {
    let terms = Terms::random(22, 4, 5, &[8]);
    tall_times(&Threads::new(1).unwrap(), &terms.pieces(), 4, &[Panel::zeros(9)], &mut [Panel::zeros(4)], Keep::Overwrite);
}

#[test]
#[should_panic(expected = "row 0 of A has")]
fn a_row_of_another_length_is_refused() {
    let terms = Terms::random(23, 4, 5, &[8]);
    wide_times(&Threads::new(1).unwrap(), &terms.wide_rows(), 6, &[Panel::zeros(6)], &mut [Panel::zeros(8)]);
}
