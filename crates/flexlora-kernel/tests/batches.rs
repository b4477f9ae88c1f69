//! Terms may come in any batches: the answer has the same bytes. What was declared is held against what came.

mod oracle;

use flexlora_kernel::{Cancel, Dtype, ErrorCode, Factor, MEMORY_BYTES, Machine, Method, SumRequest, Term, TruncatedSum, TruncatingSum};
use oracle::{Case, Draw, OwnedTerm, assert_exact, bytes, random_term};

fn request(case: &Case, rank: usize) -> SumRequest {
    case.request(rank)
}

fn machine() -> Machine {
    Machine::new(2).expect("two threads")
}

fn with_terms<T>(case: &Case, work: impl FnOnce(&[Term<'_, &[u8]>]) -> T) -> T {
    let held: Vec<_> = case.terms.iter().map(|term| (bytes(&term.b), bytes(&term.a))).collect();
    let terms: Vec<_> = case.terms.iter().zip(&held).map(|(term, (b, a))| view(case, term, b, a)).collect();
    work(&terms)
}

fn view<'a>(case: &Case, term: &'a OwnedTerm, b: &'a [u8], a: &'a [u8]) -> Term<'a, &'a [u8]> {
    Term {
        label: &term.label,
        coefficient: term.coefficient,
        b: Factor { dtype: Dtype::F32, rows: case.out_rows, cols: term.rank, bytes: b },
        a: Factor { dtype: Dtype::F32, rows: term.rank, cols: case.in_cols, bytes: a },
    }
}

/// `lengths` of the batches; what is left over is the last one.
fn in_batches(case: &Case, lengths: &[usize]) -> TruncatedSum {
    with_terms(case, |terms| {
        let cancel = Cancel::default();
        let mut sum = TruncatingSum::new(request(case, 24)).expect("good sizes");
        let mut rest = terms;
        for length in lengths {
            let (batch, after) = rest.split_at(*length.min(&rest.len()));
            sum.add(batch.to_vec(), &machine(), &cancel).expect("good terms");
            rest = after;
        }
        sum.add(rest.to_vec(), &machine(), &cancel).expect("good terms");
        sum.truncate(&machine(), &cancel).expect("all terms are there")
    })
}

/// Ranks on both sides of the groups of the dense method, and coefficients whose scale goes up and down.
fn cases() -> [(Method, Case); 3] {
    let mut draw = Draw(3);
    let mut case = |method, (out_rows, in_cols), ranks: &[usize], scale: fn(usize) -> f64| {
        let terms = ranks.iter().enumerate().map(|(k, rank)| random_term(&mut draw, out_rows, in_cols, *rank, scale(k))).collect();
        (method, Case { out_rows, in_cols, terms })
    };
    [
        case(Method::Stacked, (60, 70), &[8, 3, 16, 1, 20], |k| [1.0, 0.0, -64.0, 2.0, 300.0][k]),
        case(Method::Dense, (60, 70), &[30, 3, 50, 1, 20], |k| [1e-9, -3.0, 0.5, 4096.0, 1e-3][k]),
        case(Method::Dense, (90, 80), &[200, 100, 300, 7], |k| [1.0, -2.0, 0.25, 1.5][k]),
    ]
}

#[test]
fn the_batches_leave_no_trace() {
    for (method, case) in cases() {
        let whole = in_batches(&case, &[]);
        assert_eq!(whole.method, method);
        assert_exact(&case, &whole, "one batch");
        assert_eq!(whole, case.truncate(24).expect("finite input"));
        for lengths in [&[1; 5][..], &[2, 2], &[0, 3, 0, 1], &[4]] {
            assert_eq!(in_batches(&case, lengths), whole, "{lengths:?}");
        }
    }
}

#[test]
fn ranks_other_than_declared_are_refused_with_both_numbers() {
    for (_, case) in cases() {
        let declared: usize = case.terms.iter().map(|term| term.rank).sum();
        with_terms(&case, |terms| {
            let mut sum = TruncatingSum::new(request(&case, 4)).expect("good sizes");
            sum.add(terms.to_vec(), &machine(), &Cancel::default()).expect("good terms");
            let error = sum.add(terms[..1].to_vec(), &machine(), &Cancel::default()).expect_err("more than declared");
            let got = (declared + case.terms[0].rank).to_string();
            assert!(error.message.contains(&got) && error.message.contains(&declared.to_string()), "{error}");
            assert_eq!(error.code, ErrorCode::BadRank);

            let mut sum = TruncatingSum::new(request(&case, 4)).expect("good sizes");
            sum.add(terms[1..].to_vec(), &machine(), &Cancel::default()).expect("good terms");
            let error = sum.truncate(&machine(), &Cancel::default()).expect_err("less than declared");
            let got = (declared - case.terms[0].rank).to_string();
            assert!(error.message.contains(&got) && error.message.contains(&declared.to_string()), "{error}");
            assert_eq!(error.code, ErrorCode::BadRank);
        });
    }
}

#[test]
fn a_sum_that_failed_is_of_no_use_any_more() {
    for spoil in [0, 1] {
        let (_, mut case) = cases().into_iter().nth(spoil).expect("a case");
        case.terms[1].a[2] = f32::NAN;
        with_terms(&case, |terms| {
            let mut sum = TruncatingSum::new(request(&case, 4)).expect("good sizes");
            sum.add(terms[..1].to_vec(), &machine(), &Cancel::default()).expect("good terms");
            let error = sum.add(terms[1..].to_vec(), &machine(), &Cancel::default()).expect_err("NaN");
            assert!(error.code == ErrorCode::NotFinite && error.message.contains("lora_A[0, 2]"), "{error}");
            let error = sum.add(terms[2..].to_vec(), &machine(), &Cancel::default()).expect_err("the sum failed before");
            assert!(error.message.contains("begin the sum again"), "{error}");
            assert_eq!(sum.truncate(&machine(), &Cancel::default()).expect_err("the sum failed before").code, ErrorCode::Internal);
        });
    }
}

#[test]
fn a_cancelled_batch_ends_the_sum() {
    let [(_, case), ..] = cases();
    with_terms(&case, |terms| {
        let cancel = Cancel::default();
        let mut sum = TruncatingSum::new(request(&case, 4)).expect("good sizes");
        cancel.cancel();
        assert_eq!(sum.add(terms.to_vec(), &machine(), &cancel).expect_err("cancelled").code, ErrorCode::Cancelled);
        assert_eq!(sum.add(terms.to_vec(), &machine(), &Cancel::default()).expect_err("cancelled before").code, ErrorCode::Internal);
    });
}

#[test]
fn a_rank_sum_that_no_machine_holds_is_refused_before_it_is_allocated() {
    let huge = SumRequest { out_rows: 1 << 29, in_cols: 1 << 29, ..Case { out_rows: 1, in_cols: 1, terms: vec![] }.request(1) };
    for rank_sum in [1 << 28, usize::MAX] {
        let error = TruncatingSum::<&[u8]>::new(SumRequest { rank_sum, ..huge.clone() }).err().expect("must be refused");
        assert!(error.code == ErrorCode::TooLarge && error.message.contains(&MEMORY_BYTES.to_string()), "{error}");
    }
}

#[test]
fn a_term_that_is_zero_does_not_set_the_scale() {
    for rank in [2, 30] {
        let real = random_term(&mut Draw(9), 30, 20, 3, 1e-3);
        let zero = OwnedTerm { label: "untrained".into(), coefficient: 1e200, rank, b: vec![1e30; 30 * rank], a: vec![0.0; rank * 20] };
        let case = Case { out_rows: 30, in_cols: 20, terms: vec![zero.clone(), real, zero] };
        assert_exact(&case, &in_batches(&case, &[1, 1]), "zero terms");
    }
}
