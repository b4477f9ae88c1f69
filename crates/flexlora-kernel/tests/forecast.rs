//! What is planned against what comes out, and what the choice depends on.

mod oracle;

use flexlora_kernel::{Machine, Method, SumRequest, TOLERANCE, TruncatingSum, truncate};
use oracle::spectra::{case_of, common_and_noise, power_law, steps};
use oracle::{Case, Draw};

const ITERATIONS: [Method; 2] = [Method::Factored, Method::Accumulated];

/// A spectrum that falls off or has a gap takes two blocks where a common one takes five: there the forecast is three times too high.
fn assert_forecast(case: &Case, rank: usize, name: &str) {
    for method in ITERATIONS {
        let answer = case.truncate_by(SumRequest { method: Some(method), ..case.request(rank) }).expect("finite input");
        let context = format!("{name}, {} x {}, rank {rank}, {method:?}", case.out_rows, case.in_cols);
        let (planned, taken) = (answer.plan.operations, answer.operations);
        assert!(
            answer.plan.blocks.abs_diff(answer.blocks) <= 4,
            "{context}: {} blocks planned, {} taken",
            answer.plan.blocks,
            answer.blocks
        );
        assert!(planned <= 3.5 * taken && taken <= 1.5 * planned, "{context}: {planned} operations planned, {taken} taken");
    }
}

#[test]
fn blocks_and_operations_are_near_the_forecast() {
    let mut draw = Draw(17);
    let ranks = &[64, 100, 90, 146][..];
    for shape in [(400, 360), (280, 700)] {
        let count = shape.0.min(shape.1);
        assert_forecast(&common_and_noise(&mut draw, shape, ranks, 0.1), 10, "common and noise");
        assert_forecast(&common_and_noise(&mut draw, shape, ranks, 0.1), 60, "common and noise");
        assert_forecast(&case_of(&mut draw, shape, &power_law(count, 1.0), ranks), 40, "power law");
        assert_forecast(&case_of(&mut draw, shape, &power_law(count, 0.5), ranks), 100, "slow power law");
        assert_forecast(&case_of(&mut draw, shape, &steps(&[(5, 1.0), (15, 0.3), (count - 20, 0.02)]), ranks), 30, "steps");
    }
}

#[test]
fn exact_methods_take_what_was_planned() {
    let case = common_and_noise(&mut Draw(29), (150, 140), &[20, 30], 0.1);
    for method in [Method::Stacked, Method::Dense] {
        let answer = case.truncate_with(12, method).expect("finite input");
        assert_eq!((answer.blocks, answer.plan.blocks), (0, 0));
        assert_eq!(answer.operations, answer.plan.operations);
        assert_eq!((answer.excess, answer.energy_total_error, answer.tolerance), (0.0, 0.0, TOLERANCE));
    }
}

#[test]
fn the_plan_is_that_of_the_request_whatever_the_machine_and_the_terms() {
    let shapes = [((300, 280), &[40, 60][..]), ((500, 450), &[200, 220]), ((60, 50), &[30, 40])];
    for ((out_rows, in_cols), ranks) in shapes {
        let mut draw = Draw(37);
        let noise = common_and_noise(&mut draw, (out_rows, in_cols), ranks, 0.1);
        let mut steep = common_and_noise(&mut draw, (out_rows, in_cols), ranks, 0.0);
        steep.terms.iter_mut().for_each(|term| term.coefficient *= 1e9);
        let planned = noise.request(10).plan().expect("good sizes");
        for case in [&noise, &steep] {
            for threads in [1, 3] {
                let machine = Machine::new(threads).expect("few threads");
                let terms = case.owned_terms(flexlora_kernel::Dtype::F32);
                let answer = truncate(case.request(10), terms, &machine, &flexlora_kernel::Cancel::default()).expect("finite input");
                assert_eq!((answer.plan, answer.method, answer.fallback_from), (planned, planned.method, None));
            }
        }
        let sum = TruncatingSum::<Vec<u8>>::new(noise.request(10)).expect("good sizes");
        assert_eq!(*sum.plan(), planned);
    }
}

#[test]
fn every_method_has_shapes_where_it_is_the_fastest() {
    let of = |out_rows, in_cols, rank_sum, rank, memory_bytes| {
        let request = Case { out_rows, in_cols, terms: vec![] }.request(rank);
        SumRequest { rank_sum, memory_bytes, ..request }.plan().expect("there is a method").method
    };
    let plenty = 16 << 30;
    assert_eq!(of(4096, 4096, 64, 16, plenty), Method::Stacked);
    assert_eq!(of(4096, 4096, 2000, 64, plenty), Method::Factored);
    assert_eq!(of(60, 50, 300, 50, plenty), Method::Dense);
    let held = 4 * (4096 + 4096) * 20_000;
    assert_eq!(of(4096, 4096, 20_000, 64, held), Method::Accumulated, "where the factors do not fit");
}

#[test]
fn the_method_asked_for_is_taken_or_refused() {
    let case = common_and_noise(&mut Draw(43), (90, 80), &[20, 30, 30], 0.1);
    for method in [Method::Factored, Method::Accumulated, Method::Dense] {
        assert_eq!(case.truncate_with(5, method).expect("finite input").method, method);
    }
    let error = case.truncate_with(5, Method::Stacked).map(|answer| answer.method).expect_err("the sum of ranks is the short side");
    assert!(error.message.contains("below 80") && error.message.contains("it is 80"), "{error}");
    let request = SumRequest { method: Some(Method::Dense), memory_bytes: 1 << 10, ..case.request(5) };
    let error = request.plan().map(|plan| plan.method).expect_err("a kilobyte is not enough");
    assert!(error.message.contains("dense") && error.message.contains("1024"), "{error}");
}
