//! Terms that cancel: nothing is handed out as a direction that is only rounding, and float32 gives way where it does not resolve what
//! is left.

mod oracle;

use flexlora_kernel::{ErrorCode, KernelError, MEMORY_BYTES, Method, Result, SumRequest, TruncatedSum};
use oracle::promise::{Truth, assert_orthonormal};
use oracle::{Case, Draw, OwnedTerm, random_term};

const METHODS: [Method; 2] = [Method::Factored, Method::Accumulated];

fn truncated(case: &Case, rank: usize, method: Method, memory_bytes: usize) -> Result<TruncatedSum> {
    case.truncate_by(SumRequest { method: Some(method), memory_bytes, ..case.request(rank) })
}

/// The refusal, whose answer would fill a screen if there were one.
fn refusal(case: &Case, rank: usize, method: Method, memory_bytes: usize) -> KernelError {
    truncated(case, rank, method, memory_bytes).map(|answer| answer.singular_values).expect_err("must be refused")
}

/// A large term, what is left of it in another that has the opposite sign, and a small term of its own.
fn cancelling_to(share: f64, (out_rows, in_cols): (usize, usize), rank: usize) -> Case {
    let mut draw = Draw(19);
    let plus = random_term(&mut draw, out_rows, in_cols, rank, 3.0);
    let minus = OwnedTerm { label: "minus".into(), coefficient: -3.0, ..plus.clone() };
    let left = random_term(&mut draw, out_rows, in_cols, rank, 3.0 * share);
    Case { out_rows, in_cols, terms: vec![plus, left, minus] }
}

#[test]
fn terms_that_cancel_leave_nothing() {
    for (side, rank) in [(100, 6), (100, 300), (10, 12)] {
        let case = cancelling_to(0.0, (side, side + 7), rank);
        for method in METHODS {
            let answer = truncated(&case, 4, method, MEMORY_BYTES).expect("finite input");
            assert!(answer.singular_values.iter().all(|s| *s == 0.0), "{method:?} handed out noise: {:?}", answer.singular_values);
            assert_eq!((answer.energy_total, answer.energy_kept, answer.residual, answer.excess), (0.0, 0.0, 0.0, 0.0), "{method:?}");
            assert_orthonormal(&answer, side, side + 7, "cancelled");
        }
    }
}

#[test]
fn what_float32_resolves_is_kept() {
    for share in [0.3, 0.03] {
        let case = cancelling_to(share, (90, 80), 8);
        let truth = Truth::of(&case);
        for method in METHODS {
            let answer = truncated(&case, 6, method, MEMORY_BYTES).expect("finite input");
            assert_eq!((answer.method, answer.fallback_from), (method, None), "{share}");
            truth.assert_promise(&answer, &format!("cancelling to {share}, {method:?}"));
        }
    }
}

#[test]
fn factored_gives_way_to_dense_where_float32_does_not_resolve_the_rest() {
    for (share, shape, rank) in [(1e-4, (90, 80), 6), (1e-3, (40, 150), 300)] {
        let case = cancelling_to(share, shape, rank);
        // More than W has, or all: nothing is cut off that rounding could be small beside.
        let answer = truncated(&case, 40, Method::Factored, MEMORY_BYTES).expect("finite input");
        assert_eq!((answer.method, answer.fallback_from), (Method::Dense, Some(Method::Factored)));
        assert_eq!((answer.plan.method, answer.blocks, answer.energy_total_error), (Method::Factored, 0, 0.0));
        Truth::of(&case).assert_promise(&answer, &format!("cancelling to {share}"));
    }
}

#[test]
fn accumulated_refuses_what_is_already_lost() {
    let case = cancelling_to(1e-4, (90, 80), 6);
    let error = refusal(&case, 12, Method::Accumulated, MEMORY_BYTES);
    assert_eq!(error.code, ErrorCode::NotConverged);
    for part in ["layers.0.q_proj", "cancel", "accumulated", "ask for the method dense"] {
        assert!(error.message.contains(part), "{error}");
    }
}

#[test]
fn a_fallback_that_does_not_fit_is_refused_and_one_that_just_fits_is_taken() {
    let case = cancelling_to(1e-4, (90, 80), 6);
    let [factored, dense] = [Method::Factored, Method::Dense].map(|method| case.request(12).scratch_bytes(method));
    let error = refusal(&case, 12, Method::Factored, factored + dense - 1);
    assert_eq!(error.code, ErrorCode::NotConverged);
    for part in ["layers.0.q_proj", "cancel", "ask for the method dense", &dense.to_string()] {
        assert!(error.message.contains(part), "{error}");
    }
    let answer = truncated(&case, 12, Method::Factored, factored + dense).expect("there is room");
    assert_eq!(answer.fallback_from, Some(Method::Factored));
}
