//! Sums that float32 cannot hold at their own scale, or hardly: no panic, no zero in silence, no value lost without a word.

mod oracle;

use flexlora_kernel::{ErrorCode, Method};
use oracle::promise::Truth;
use oracle::{Case, Draw, OwnedTerm, random_term};

const METHODS: [Method; 2] = [Method::Factored, Method::Accumulated];

/// `coefficient * b * a` of rank 1.
fn outer(coefficient: f64, b: Vec<f32>, a: Vec<f32>) -> OwnedTerm {
    OwnedTerm { label: "outer".into(), coefficient, rank: 1, b, a }
}

#[test]
fn terms_that_cancel_up_to_the_last_bit_are_zero() {
    let mut draw = Draw(7);
    let b: Vec<f32> = (0..96).map(|_| draw.signed() as f32).collect();
    let terms = vec![outer(1.0, b.clone(), vec![1.0; 80]), outer(1.0, b, vec![-1.0; 80])];
    let case = Case { out_rows: 96, in_cols: 80, terms };
    for method in METHODS {
        let answer = case.truncate_with(4, method).expect("finite input");
        assert!(answer.singular_values.iter().all(|s| *s == 0.0), "{method:?}: {:?}", answer.singular_values);
    }
}

#[test]
fn a_sum_beyond_the_numbers_is_refused_by_every_method() {
    let mut term = random_term(&mut Draw(8), 96, 80, 8, 1e308);
    term.b.iter_mut().for_each(|x| *x *= 3e38);
    let case = Case { out_rows: 96, in_cols: 80, terms: vec![term] };
    for method in [Method::Stacked, Method::Factored, Method::Accumulated, Method::Dense] {
        let error = case.truncate_with(2, method).map(|answer| answer.singular_values).expect_err("overflows");
        assert_eq!(error.code, ErrorCode::NotFinite, "{method:?}: {error}");
    }
}

#[test]
fn values_beside_terms_that_cancel_are_kept_or_the_method_gives_way() {
    let unit = |length: usize| (0..length).map(|i| if i == 0 { 1.0 } else { 0.0 }).collect::<Vec<f32>>();
    let mut small = OwnedTerm { label: "small".into(), coefficient: 1.4e-4, rank: 40, b: vec![0.0; 96 * 40], a: vec![0.0; 40 * 80] };
    for k in 0..40 {
        small.b[(k + 1) * 40 + k] = 1.0;
        small.a[k * 80 + k + 1] = 1.0;
    }
    let terms = vec![outer(80.0, unit(96), unit(80)), outer(-79.0, unit(96), unit(80)), small];
    let case = Case { out_rows: 96, in_cols: 80, terms };
    let answer = case.truncate_with(41, Method::Factored).expect("dense takes its place where float32 does not do");
    assert!(answer.singular_values[40] > 1.3e-4, "{:?}", &answer.singular_values[38..]);
    Truth::of(&case).assert_promise(&answer, "beside 80 - 79");
}
