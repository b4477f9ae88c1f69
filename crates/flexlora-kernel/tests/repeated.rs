//! Values that W repeats more often than a block of the iteration has columns, and cancellation that leaves values beside the noise.

mod oracle;

use flexlora_kernel::{MEMORY_BYTES, Method, SumRequest, TOLERANCE};
use oracle::promise::Truth;
use oracle::spectra::{case_of, steps};
use oracle::{Case, Draw, OwnedTerm, random_term};

#[test]
fn values_repeated_more_often_than_a_block_has_columns_are_all_found() {
    let mut draw = Draw(91);
    let spectra = [
        (steps(&[(120, 1.0)]), &[41, 60, 119, 120][..]),
        (steps(&[(60, 1.0)]), &[41, 60, 80]),
        (steps(&[(60, 1.0), (60, 0.5)]), &[50, 70, 100]),
        (steps(&[(5, 1.0), (110, 0.1)]), &[60, 100]),
    ];
    for (spectrum, ranks) in spectra {
        let case = case_of(&mut draw, (150, 120), &spectrum, &[60, 80]);
        let truth = Truth::of(&case);
        for rank in ranks {
            for method in [Method::Factored, Method::Accumulated] {
                let answer = case.truncate_by(SumRequest { method: Some(method), tolerance: TOLERANCE, ..case.request(*rank) });
                let context = format!("{} values, rank {rank}, {method:?}", spectrum.len());
                truth.assert_promise(&answer.unwrap_or_else(|error| panic!("{context}: {error}")), &context);
            }
        }
    }
}

#[test]
fn values_hidden_by_rounding_do_not_excuse_it() {
    let mut draw = Draw(19);
    let plus = random_term(&mut draw, 90, 80, 6, 3.0);
    let minus = OwnedTerm { coefficient: -3.0, ..plus.clone() };
    let left = random_term(&mut draw, 90, 80, 6, 3e-5);
    let case = Case { out_rows: 90, in_cols: 80, terms: vec![plus, left, minus] };
    let request = SumRequest { method: Some(Method::Factored), memory_bytes: MEMORY_BYTES, ..case.request(12) };
    let answer = case.truncate_by(request).expect("finite input");
    assert_eq!((answer.method, answer.fallback_from), (Method::Dense, Some(Method::Factored)));
    Truth::of(&case).assert_promise(&answer, "cancelling to 1e-5");
}
