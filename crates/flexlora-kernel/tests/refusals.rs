//! Bad input is refused by name, and nothing panics.

mod oracle;

use flexlora_kernel::{Cancel, Dtype, ErrorCode, Factor, Machine, OUTPUT_VALUES_MAX, Result, SumRequest, Term, TruncatedSum, truncate};
use oracle::{Case, Draw, bytes, random_term};

fn refusal(case: &Case, rank: usize) -> (ErrorCode, String) {
    let error = case.truncate(rank).expect_err("must be refused");
    (error.code, error.message)
}

fn case() -> Case {
    let mut draw = Draw(1);
    let terms = (0..2).map(|_| random_term(&mut draw, 5, 4, 3, 1.0)).collect();
    let mut case = Case { out_rows: 5, in_cols: 4, terms };
    case.terms[1].label = "agent-7".into();
    case
}

#[test]
fn values_that_are_not_finite_are_named_by_module_term_factor_and_index() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut in_b = case();
        in_b.terms[1].b[3 * 2 + 1] = bad;
        let (code, message) = refusal(&in_b, 2);
        assert_eq!(code, ErrorCode::NotFinite);
        for part in ["layers.0.q_proj", "agent-7", "lora_B[2, 1]"] {
            assert!(message.contains(part), "{message}");
        }
        let mut in_a = case();
        in_a.terms[1].a[4 * 2 + 3] = bad;
        assert!(refusal(&in_a, 2).1.contains("lora_A[2, 3]"));
    }
}

#[test]
fn a_coefficient_that_is_not_finite_is_refused() {
    for bad in [f64::NAN, f64::INFINITY] {
        let mut case = case();
        case.terms[1].coefficient = bad;
        let (code, message) = refusal(&case, 2);
        assert!(code == ErrorCode::NotFinite && message.contains("agent-7") && message.contains("coefficient"), "{message}");
    }
}

#[test]
fn ranks_of_zero_and_empty_shapes_are_refused() {
    assert_eq!(refusal(&case(), 0).0, ErrorCode::BadRank);
    let empty = Case { out_rows: 0, in_cols: 4, terms: vec![] };
    assert_eq!(refusal(&empty, 1).0, ErrorCode::BadShape);
    let mut no_rank = case();
    no_rank.terms[0] = oracle::OwnedTerm { rank: 0, b: vec![], a: vec![], ..no_rank.terms[0].clone() };
    assert_eq!(refusal(&no_rank, 1).0, ErrorCode::BadRank);
}

#[test]
fn an_answer_that_no_machine_holds_is_refused_before_it_is_allocated() {
    let huge = Case { out_rows: usize::MAX, in_cols: usize::MAX, terms: vec![] };
    let (code, message) = refusal(&huge, usize::MAX);
    assert!(code == ErrorCode::BadShape && message.contains(&OUTPUT_VALUES_MAX.to_string()), "{message}");
}

fn truncate_these(terms: Vec<Term<'_, &[u8]>>, cancel: &Cancel) -> Result<TruncatedSum> {
    let rank_sum = terms.iter().fold(0usize, |sum, term| sum.saturating_add(term.a.rows));
    let request = SumRequest { rank_sum, ..Case { out_rows: 5, in_cols: 4, terms: vec![] }.request(2) };
    truncate(request, terms, &Machine::new(1)?, cancel)
}

#[test]
fn shapes_and_lengths_that_do_not_fit_are_refused() {
    let (b, a) = (&bytes(&[1.0; 15])[..], &bytes(&[1.0; 12])[..]);
    let factor = |rows, cols, bytes| Factor { dtype: Dtype::F32, rows, cols, bytes };
    let good = Term { label: "t", coefficient: 1.0, b: factor(5, 3, b), a: factor(3, 4, a) };
    let bad = [
        Term { b: factor(3, 5, b), ..good },
        Term { a: factor(4, 3, a), ..good },
        Term { a: factor(2, 4, a), ..good },
        Term { b: factor(5, 3, &b[1..]), ..good },
        Term { a: Factor { dtype: Dtype::F16, ..good.a }, ..good },
        Term { b: factor(5, usize::MAX, b), a: factor(usize::MAX, 4, a), ..good },
    ];
    for term in bad {
        let error = truncate_these(vec![good, term], &Cancel::default()).expect_err("must be refused");
        assert_eq!(error.code, ErrorCode::BadShape, "{error}");
    }
    assert!(truncate_these(vec![good], &Cancel::default()).is_ok());
}

#[test]
fn a_cancelled_call_stops() {
    let cancel = Cancel::default();
    cancel.cancel();
    assert_eq!(truncate_these(vec![], &cancel).expect_err("cancelled").code, ErrorCode::Cancelled);
}
