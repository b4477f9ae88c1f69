//! Whatever the method, a value that is not finite is refused by name, wherever it stands.

mod oracle;

use flexlora_kernel::{Cancel, Dtype, ErrorCode, Machine, Method, SumRequest, Term, truncate};
use oracle::{Case, Draw, random_term};

const METHODS: [Method; 4] = [Method::Stacked, Method::Factored, Method::Accumulated, Method::Dense];
const NAN_AND_INFINITIES: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

fn case() -> Case {
    let mut draw = Draw(1);
    let mut case = Case { out_rows: 70, in_cols: 60, terms: (3..6).map(|r| random_term(&mut draw, 70, 60, r, 0.5)).collect() };
    for (k, term) in case.terms.iter_mut().enumerate() {
        term.label = format!("agent-{k}");
    }
    // Values that are normal numbers of every type.
    case.values_mut().for_each(|x| *x = if *x < 0.0 { -0.5 } else { 0.5 });
    case
}

fn assert_refused(case: &Case, method: Method, dtype: Dtype, parts: &[&str]) {
    let request = SumRequest { method: Some(method), ..case.request(4) };
    let machine = Machine::new(2).expect("two threads");
    let error = truncate(request, case.owned_terms(dtype), &machine, &Cancel::default()).expect_err("must be refused");
    assert_eq!(error.code, ErrorCode::NotFinite, "{method:?} {dtype:?}: {error}");
    for part in parts {
        assert!(error.message.contains(part), "{method:?} {dtype:?}: no {part} in {error}");
    }
}

#[test]
fn nan_and_infinities_are_named_in_the_first_and_the_last_term_in_every_type() {
    for method in METHODS {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
            for (bad, term) in NAN_AND_INFINITIES.into_iter().zip([0, 2, 2]) {
                let label = format!("agent-{term}");
                let mut in_b = case();
                let rank = in_b.terms[term].rank;
                *in_b.terms[term].b.last_mut().expect("values") = bad;
                assert_refused(&in_b, method, dtype, &["layers.0.q_proj", &label, &format!("lora_B[69, {}]", rank - 1)]);
                let mut in_a = case();
                in_a.terms[term].a[60 + 7] = bad;
                assert_refused(&in_a, method, dtype, &["layers.0.q_proj", &label, "lora_A[1, 7]"]);
            }
        }
    }
}

#[test]
fn a_value_that_is_not_finite_is_refused_where_the_term_weighs_nothing_too() {
    let mut case = case();
    case.terms[1].coefficient = 0.0;
    case.terms[1].a[0] = f32::NAN;
    for method in METHODS {
        assert_refused(&case, method, Dtype::F32, &["agent-1", "lora_A[0, 0]"]);
    }
}

#[test]
fn coefficients_that_are_not_finite_are_refused() {
    for method in METHODS {
        for bad in [f64::NAN, f64::INFINITY] {
            let mut case = case();
            case.terms[2].coefficient = bad;
            assert_refused(&case, method, Dtype::F32, &["agent-2", "coefficient"]);
        }
    }
}

#[test]
fn no_bytes_at_all_are_refused() {
    let case = case();
    for method in METHODS {
        let mut terms: Vec<Term<'_, Vec<u8>>> = case.owned_terms(Dtype::F32);
        terms[2].b.bytes.clear();
        let request = SumRequest { method: Some(method), ..case.request(4) };
        let error = truncate(request, terms, &Machine::new(1).expect("a thread"), &Cancel::default()).expect_err("must be refused");
        assert!(error.code == ErrorCode::BadShape && error.message.contains("agent-2"), "{error}");
    }
}
