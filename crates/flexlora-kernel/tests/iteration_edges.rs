//! The iterations at the edge: nothing there, less rank than asked for, equal values, extreme scales.

mod oracle;

use flexlora_kernel::{ErrorCode, Method, Result, SumRequest, TOLERANCE_EXACT, TruncatedSum};
use oracle::promise::{Truth, assert_orthonormal};
use oracle::spectra::{case_of, geometric, steps};
use oracle::{Case, Draw, OwnedTerm, random_term};

const METHODS: [Method; 2] = [Method::Factored, Method::Accumulated];

fn truncated(case: &Case, rank: usize, method: Method) -> Result<TruncatedSum> {
    case.truncate_by(SumRequest { method: Some(method), tolerance: TOLERANCE_EXACT, ..case.request(rank) })
}

/// By both methods, neither of which gives way to another.
fn assert_kept(case: &Case, rank: usize, context: &str) -> Vec<TruncatedSum> {
    let truth = Truth::of(case);
    METHODS
        .into_iter()
        .map(|method| {
            let context = format!("{context}, {method:?}, rank {rank} of {} x {}", case.out_rows, case.in_cols);
            let answer = truncated(case, rank, method).unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!((answer.method, answer.rank), (method, case.request(rank).kept()), "{context}");
            truth.assert_promise(&answer, &context);
            answer
        })
        .collect()
}

fn assert_nothing(case: &Case, rank: usize, context: &str) {
    for method in METHODS {
        let answer = truncated(case, rank, method).unwrap_or_else(|error| panic!("{context}, {method:?}: {error}"));
        assert!(answer.u.iter().all(|x| *x == 0.0) && answer.singular_values.iter().all(|s| *s == 0.0), "{context}, {method:?}");
        assert_eq!((answer.energy_kept, answer.energy_total, answer.energy_total_error), (0.0, 0.0, 0.0), "{context}, {method:?}");
        assert_eq!((answer.residual, answer.excess, answer.fallback_from), (0.0, 0.0, None), "{context}, {method:?}");
        assert_orthonormal(&answer, case.out_rows, case.in_cols, context);
    }
}

#[test]
fn a_sum_of_nothing_has_no_values_and_orthonormal_rows() {
    for (out_rows, in_cols, rank) in [(6, 9, 4), (90, 60, 100), (1, 1, 1), (1, 7, 3), (64, 64, 64)] {
        assert_nothing(&Case { out_rows, in_cols, terms: vec![] }, rank, "no terms");
        let zeros = |rank, coefficient| OwnedTerm {
            label: "untrained".into(),
            coefficient,
            rank,
            b: vec![0.0; out_rows * rank],
            a: vec![1.0; rank * in_cols],
        };
        assert_nothing(&Case { out_rows, in_cols, terms: vec![zeros(2, 1.0), zeros(70, 1e200)] }, rank, "zero factors");
        let unweighted = random_term(&mut Draw(5), out_rows, in_cols, 3, 0.0);
        assert_nothing(&Case { out_rows, in_cols, terms: vec![unweighted.clone(), unweighted] }, rank, "zero coefficients");
    }
}

#[test]
fn zero_coefficients_and_zero_factors_change_nothing() {
    let mut draw = Draw(21);
    for side in [80, 8] {
        let real = random_term(&mut draw, side, side, 6, 1.5);
        let unweighted = random_term(&mut draw, side, side, 3, 0.0);
        let untrained =
            OwnedTerm { label: "untrained".into(), coefficient: 1e200, rank: 5, b: vec![1e30; side * 5], a: vec![0.0; 5 * side] };
        let alone = Case { out_rows: side, in_cols: side, terms: vec![real.clone()] };
        let among = Case { out_rows: side, in_cols: side, terms: vec![unweighted, untrained.clone(), real, untrained] };
        let of_alone = assert_kept(&alone, 7, "alone");
        for (alone, among) in of_alone.into_iter().zip(assert_kept(&among, 7, "among zeros")) {
            assert_eq!((alone.singular_values, alone.u), (among.singular_values, among.u));
        }
    }
}

#[test]
fn rank_below_the_rank_asked_for_is_completed() {
    let mut draw = Draw(3);
    for (out_rows, in_cols) in [(130, 120), (120, 130), (5, 5), (1, 40), (40, 1), (60, 300)] {
        let term = random_term(&mut draw, out_rows, in_cols, 2, 1.0);
        let rank_of_w = 2.min(out_rows).min(in_cols);
        let case = Case { out_rows, in_cols, terms: vec![term.clone(), term] };
        for answer in [5, 1000].into_iter().flat_map(|rank| assert_kept(&case, rank, "rank 2")) {
            let zero = answer.singular_values.iter().position(|s| *s == 0.0).unwrap_or(answer.rank);
            assert_eq!(zero, rank_of_w.min(answer.rank), "{:?}", answer.singular_values);
        }
    }
}

#[test]
fn one_client_is_its_own_best_approximation() {
    let mut draw = Draw(71);
    for (out_rows, in_cols, rank) in [(120, 100, 16), (64, 200, 64), (1, 17, 3), (17, 1, 1), (1, 1, 1), (2, 100, 5), (49, 48, 60)] {
        let case = Case { out_rows, in_cols, terms: vec![random_term(&mut draw, out_rows, in_cols, rank, -0.75)] };
        for answer in assert_kept(&case, rank, "one client") {
            assert!(answer.residual < 1e-6, "{}", answer.residual);
        }
    }
}

#[test]
fn repeated_values_are_found_at_every_rank() {
    let mut draw = Draw(81);
    for spectrum in [steps(&[(30, 2.0)]), steps(&[(3, 3.0), (2, 1.0), (20, 1e-3)]), steps(&[(8, 1.0), (8, 0.9), (8, 0.8)])] {
        let case = case_of(&mut draw, (90, 100), &spectrum, &[20, 40]);
        for rank in [1, 7, 25, 30] {
            assert_kept(&case, rank, "repeated");
        }
    }
}

#[test]
fn scales_from_tiny_to_huge_are_kept() {
    let mut draw = Draw(31);
    let scales = [(1e-12, 1.0), (1e12, 1.0), (1e12, 1e30), (1e-12, 1e-38), (1.0, 1e-44), (1e100, 1e-30), (5e-324, 1e38), (1e-300, 1e10)];
    for (coefficient, factor) in scales {
        for (out_rows, in_cols) in [(70, 60), (6, 9)] {
            let mut case =
                Case { out_rows, in_cols, terms: (1..4).map(|r| random_term(&mut draw, out_rows, in_cols, 2 * r, 1.0)).collect() };
            case.values_mut().for_each(|x| *x *= factor);
            case.terms.iter_mut().for_each(|term| term.coefficient = coefficient);
            assert_kept(&case, 9, &format!("{coefficient:e} {factor:e}"));
        }
    }
}

#[test]
fn factors_of_opposite_scales_and_coefficients_far_apart_are_kept() {
    let mut draw = Draw(41);
    let mut case = case_of(&mut draw, (80, 75), &geometric(20, 0.8), &[10, 8, 12]);
    for (term, factor) in case.terms.iter_mut().zip([1e30f32, 1e-30, 1e18]) {
        term.b.iter_mut().for_each(|x| *x *= factor);
        term.a.iter_mut().for_each(|x| *x /= factor);
    }
    assert_kept(&case, 12, "opposite scales");
    let terms = [1e12, -1e-12, 1.0].map(|c| random_term(&mut draw, 80, 60, 8, c)).to_vec();
    assert_kept(&Case { out_rows: 80, in_cols: 60, terms }, 24, "coefficients far apart");
}

#[test]
fn a_sum_beyond_the_numbers_is_refused() {
    let mut term = random_term(&mut Draw(51), 60, 70, 2, 1e200);
    term.b.iter_mut().for_each(|x| *x *= 1e30);
    let case = Case { out_rows: 60, in_cols: 70, terms: vec![term] };
    for method in METHODS {
        let error = truncated(&case, 2, method).expect_err("overflows");
        assert!(error.code == ErrorCode::NotFinite && error.message.contains("scale the coefficients down"), "{error}");
    }
}
