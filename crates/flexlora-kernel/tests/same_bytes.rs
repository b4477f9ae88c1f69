//! The same terms give the same bytes: in any batches, on any number of threads, in any type that holds their values.

mod oracle;

use flexlora_kernel::{Cancel, Dtype, Machine, Method, SumRequest, TruncatedSum, TruncatingSum};
use oracle::promise::Truth;
use oracle::spectra::common_and_noise;
use oracle::{Case, Draw};

const METHODS: [Method; 2] = [Method::Factored, Method::Accumulated];

/// Ranks that end before, on and after columns 512 and 1024, and coefficients whose scale goes up and down.
fn case() -> Case {
    let mut case = common_and_noise(&mut Draw(11), (140, 110), &[200, 311, 1, 16, 513, 40, 120], 0.1);
    for (k, term) in case.terms.iter_mut().enumerate() {
        let power = [1.0f32, 64.0, 0.0, 1.0, 0.25, 4096.0, 2.0][k];
        term.coefficient *= f64::from(power);
        term.b.iter_mut().filter(|_| power > 0.0).for_each(|x| *x /= power);
    }
    case
}

/// `lengths` of the batches; what is left over is the last one.
fn summed(case: &Case, method: Method, dtype: Dtype, threads: usize, lengths: &[usize]) -> TruncatedSum {
    let (machine, cancel) = (Machine::new(threads).expect("few threads"), Cancel::default());
    let request = SumRequest { method: Some(method), ..case.request(24) };
    let mut sum = TruncatingSum::new(request).expect("good sizes");
    let mut rest = case.owned_terms(dtype);
    for length in lengths {
        let after = rest.split_off(*length.min(&rest.len()));
        sum.add(rest, &machine, &cancel).expect("good terms");
        rest = after;
    }
    sum.add(rest, &machine, &cancel).expect("good terms");
    sum.truncate(&machine, &cancel).expect("all terms are there")
}

#[test]
fn batches_leave_no_trace() {
    let case = case();
    for method in METHODS {
        let whole = summed(&case, method, Dtype::F32, 2, &[]);
        Truth::of(&case).assert_promise(&whole, "one batch");
        for lengths in [&[1; 7][..], &[2, 2, 2], &[0, 5, 0, 1], &[3], &[6]] {
            assert_eq!(summed(&case, method, Dtype::F32, 2, lengths), whole, "{method:?} {lengths:?}");
        }
    }
}

#[test]
fn threads_leave_no_trace() {
    let case = case();
    for method in METHODS {
        let one = summed(&case, method, Dtype::F32, 1, &[3]);
        for threads in [2, 3] {
            assert_eq!(summed(&case, method, Dtype::F32, threads, &[3]), one, "{method:?} on {threads} threads");
        }
    }
}

#[test]
fn factors_of_16_bits_give_the_bytes_of_the_same_values_in_32() {
    for dtype in [Dtype::Bf16, Dtype::F16] {
        let case = case().rounded_to(dtype);
        let truth = Truth::of(&case);
        for method in METHODS {
            let narrow = summed(&case, method, dtype, 2, &[2]);
            truth.assert_promise(&narrow, &format!("{dtype:?} {method:?}"));
            assert_eq!(narrow, summed(&case, method, Dtype::F32, 2, &[2]), "{dtype:?} {method:?}");
        }
    }
}

#[test]
fn types_may_be_mixed() {
    let case = case().rounded_to(Dtype::Bf16);
    for method in METHODS {
        let request = || SumRequest { method: Some(method), ..case.request(24) };
        let mixed = case
            .terms
            .iter()
            .enumerate()
            .map(|(k, term)| case.owned_term(term, [[Dtype::F32, Dtype::Bf16][k % 2], [Dtype::Bf16, Dtype::F32, Dtype::F32][k % 3]]));
        let machine = Machine::new(2).expect("two threads");
        let got = flexlora_kernel::truncate(request(), mixed.collect(), &machine, &Cancel::default()).expect("good terms");
        assert_eq!(got, case.truncate_by(request()).expect("good terms"), "{method:?}");
    }
}
