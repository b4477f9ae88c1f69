//! Sums at the edge: nothing there, less rank than asked for, equal values, extreme scales.

mod oracle;

use flexlora_kernel::{ErrorCode, Method};
use oracle::{Case, Draw, OwnedTerm, assert_exact, assert_rows_orthonormal, random_term};

fn diagonal(side: usize, values: &[f32]) -> OwnedTerm {
    let rank = values.len();
    let mut term = OwnedTerm { label: "d".into(), coefficient: 1.0, rank, b: vec![0.0; side * rank], a: vec![0.0; rank * side] };
    for (k, value) in values.iter().enumerate() {
        term.b[k * rank + k] = *value;
        term.a[k * side + k] = 1.0;
    }
    term
}

#[test]
fn a_sum_of_nothing_has_no_values_and_orthonormal_rows() {
    for (out_rows, in_cols, rank) in [(6, 9, 4), (9, 6, 100), (1, 1, 1), (1, 7, 3), (64, 64, 64)] {
        let answer = Case { out_rows, in_cols, terms: vec![] }.truncate(rank).expect("no terms are allowed");
        assert!(answer.u.iter().all(|x| *x == 0.0) && answer.singular_values.iter().all(|s| *s == 0.0));
        assert_eq!((answer.energy_kept, answer.energy_total, answer.residual), (0.0, 0.0, 0.0));
        assert_rows_orthonormal(&answer, in_cols, "no terms");
    }
}

#[test]
fn rank_below_the_rank_asked_for_is_completed() {
    let mut draw = Draw(3);
    for (out_rows, in_cols) in [(30, 20), (20, 30), (5, 5)] {
        let term = random_term(&mut draw, out_rows, in_cols, 2, 1.0);
        let case = Case { out_rows, in_cols, terms: vec![term.clone(), term] };
        let answer = case.truncate(5).expect("finite input");
        assert!(answer.singular_values[1] > 0.0 && answer.singular_values[2..].iter().all(|s| *s == 0.0));
        assert!(answer.u[2 * out_rows..].iter().all(|x| *x == 0.0));
        assert_exact(&case, &answer, "rank 2 of 5");
    }
}

#[test]
fn terms_that_cancel_leave_nothing() {
    let mut draw = Draw(9);
    for (side, rank) in [(40, 6), (10, 12)] {
        let plus = random_term(&mut draw, side, side, rank, 3.0);
        let minus = OwnedTerm { coefficient: -3.0, ..plus.clone() };
        let answer = Case { out_rows: side, in_cols: side, terms: vec![plus, minus] }.truncate(4).expect("finite input");
        assert!(answer.singular_values.iter().all(|s| *s == 0.0), "noise was handed out: {:?}", answer.singular_values);
        assert_eq!((answer.energy_total, answer.residual), (0.0, 0.0));
        assert_rows_orthonormal(&answer, side, "cancelled");
    }
}

#[test]
fn zero_coefficients_and_zero_factors_change_nothing() {
    let mut draw = Draw(21);
    for side in [30, 8] {
        let real = random_term(&mut draw, side, side, 4, 1.5);
        let unweighted = random_term(&mut draw, side, side, 3, 0.0);
        let mut untrained = random_term(&mut draw, side, side, 5, 2.0);
        untrained.b.fill(0.0);
        let alone = Case { out_rows: side, in_cols: side, terms: vec![real.clone()] };
        let among = Case { out_rows: side, in_cols: side, terms: vec![unweighted.clone(), untrained.clone(), real] };
        let answer = among.truncate(6).expect("finite input");
        assert_exact(&alone, &answer, "among zeros");
        assert_eq!(answer.rank_sum, 12);
        let nothing = Case { out_rows: side, in_cols: side, terms: vec![unweighted, untrained] }.truncate(6).expect("finite input");
        assert!(nothing.singular_values.iter().all(|s| *s == 0.0));
    }
}

#[test]
fn repeated_singular_values_are_exact() {
    for values in [vec![2.0f32; 6], vec![3.0, 3.0, 3.0, 1.0, 1.0, 1e-3]] {
        for side in [6, 20] {
            let case = Case { out_rows: side, in_cols: side, terms: vec![diagonal(side, &values)] };
            assert_exact(&case, &case.truncate(4).expect("finite input"), "repeated");
        }
    }
}

#[test]
fn scales_from_tiny_to_huge_are_exact() {
    let mut draw = Draw(31);
    for (coefficient, factor) in [(1e-12, 1.0), (1e12, 1.0), (1e12, 1e30), (1e-12, 1e-38), (1.0, 1e-44), (1e200, 1e-30), (5e-324, 1e38)] {
        for (side, method) in [(24, Method::Stacked), (6, Method::Dense)] {
            let mut term = random_term(&mut draw, side, side, 7, coefficient);
            term.b.iter_mut().chain(term.a.iter_mut()).for_each(|x| *x *= factor);
            let answer = Case { out_rows: side, in_cols: side, terms: vec![term.clone()] }.truncate(7).expect("finite input");
            assert_eq!(answer.method, method);
            assert!(answer.u.iter().chain(&answer.v).all(|x| x.is_finite()) && answer.energy_total.is_finite());
            assert_rows_orthonormal(&answer, side, "scale");
            assert!(answer.residual < 1e-6, "{coefficient} {factor}: {}", answer.residual);
        }
    }
}

#[test]
fn coefficients_far_apart_are_exact_to_the_largest() {
    let mut draw = Draw(41);
    let terms = [1e12, -1e-12, 1.0].map(|c| random_term(&mut draw, 40, 30, 4, c)).to_vec();
    let case = Case { out_rows: 40, in_cols: 30, terms };
    assert_exact(&case, &case.truncate(12).expect("finite input"), "1e12 to 1e-12");
}

#[test]
fn a_sum_beyond_the_numbers_is_refused() {
    let mut draw = Draw(51);
    let mut term = random_term(&mut draw, 8, 8, 2, 1e200);
    term.b.iter_mut().for_each(|x| *x *= 1e30);
    let error = Case { out_rows: 8, in_cols: 8, terms: vec![term] }.truncate(2).expect_err("overflows");
    assert_eq!(error.code, ErrorCode::NotFinite);
}

#[test]
fn rows_and_columns_of_one_are_exact() {
    let mut draw = Draw(61);
    for (out_rows, in_cols) in [(1, 17), (17, 1), (1, 1), (1, 2), (2, 1)] {
        let terms = (1..=3).map(|rank| random_term(&mut draw, out_rows, in_cols, rank, 0.5)).collect();
        let case = Case { out_rows, in_cols, terms };
        let answer = case.truncate(3).expect("finite input");
        assert_eq!(answer.rank, 1);
        assert_exact(&case, &answer, &format!("{out_rows} x {in_cols}"));
    }
}
