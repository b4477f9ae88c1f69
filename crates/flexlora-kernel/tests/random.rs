//! A random search over small sums, against the dense oracle.
//!
//! `FLEXLORA_SEED=123 cargo test -p flexlora-kernel --test random` replays one case; `FLEXLORA_CASES=20000` searches further.

mod oracle;

use flexlora_kernel::{Cancel, Dtype, Machine, Method, SumRequest, TOLERANCE, TOLERANCE_EXACT, Term, TruncatingSum};
use oracle::promise::Truth;
use oracle::{Case, Draw, OwnedTerm, random_term};

const CASES: u64 = 400;
const METHODS: [Option<Method>; 5] = [None, Some(Method::Stacked), Some(Method::Factored), Some(Method::Accumulated), Some(Method::Dense)];
const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::Bf16];

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{variable} is {value:?}: give a whole number")))
}

fn seeds() -> std::ops::RangeInclusive<u64> {
    match number_from("FLEXLORA_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number_from("FLEXLORA_CASES").unwrap_or(CASES),
    }
}

/// One in eight is of a size that takes the iterations more than one block.
fn random_case(draw: &mut Draw) -> (Case, Vec<[Dtype; 2]>) {
    let largest = if draw.below(8) == 0 { 110 } else { 40 };
    let (out_rows, in_cols) = (1 + draw.below(largest), 1 + draw.below(largest));
    let magnitude = draw.below(25) as i32 - 12;
    let mut case = Case { out_rows, in_cols, terms: vec![] };
    let mut dtypes = vec![];
    for _ in 0..draw.below(7) {
        let term = match draw.below(6) {
            0 if !case.terms.is_empty() => duplicate(draw, &case.terms),
            _ => {
                let coefficient = draw.signed() * 10f64.powi(magnitude + draw.below(3) as i32);
                let rank = 1 + draw.below(30);
                random_term(draw, out_rows, in_cols, rank, coefficient)
            }
        };
        case.terms.push(emptied(draw, term, in_cols));
        dtypes.push([0; 2].map(|_| DTYPES[draw.below(3)]));
    }
    for (term, [b, a]) in case.terms.iter_mut().zip(&dtypes) {
        term.b.iter_mut().for_each(|x| *x = oracle::terms::rounded(*x, *b));
        term.a.iter_mut().for_each(|x| *x = oracle::terms::rounded(*x, *a));
    }
    (case, dtypes)
}

/// Of the same sign, so that sums that cancel stay the matter of `cancelling.rs`.
fn duplicate(draw: &mut Draw, terms: &[OwnedTerm]) -> OwnedTerm {
    let of = &terms[draw.below(terms.len())];
    OwnedTerm { coefficient: of.coefficient * (0.5 + draw.unit()), ..of.clone() }
}

/// Now and then a column of B, a row of A, or the coefficient is zero.
fn emptied(draw: &mut Draw, mut term: OwnedTerm, in_cols: usize) -> OwnedTerm {
    let column = draw.below(term.rank);
    match draw.below(8) {
        0 => term.b.iter_mut().skip(column).step_by(term.rank).for_each(|x| *x = 0.0),
        1 => term.a[column * in_cols..(column + 1) * in_cols].fill(0.0),
        2 => term.coefficient = 0.0,
        _ => {}
    }
    term
}

#[test]
fn random_sums_keep_the_promise() {
    let machines = [1, 2].map(|threads| Machine::new(threads).expect("few threads"));
    let cancel = Cancel::default();
    let mut taken = [0; 4];
    for seed in seeds() {
        let mut draw = Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (case, dtypes) = random_case(&mut draw);
        let rank = 1 + draw.below(48);
        let tolerance = [TOLERANCE_EXACT, TOLERANCE, 1.1][draw.below(3)];
        let asked = METHODS[draw.below(METHODS.len())];
        let rank_sum = case.request(rank).rank_sum;
        let method = asked.filter(|method| *method != Method::Stacked || rank_sum < case.out_rows.min(case.in_cols));
        let context = format!("FLEXLORA_SEED={seed} ({} x {}, R = {rank_sum}, {method:?})", case.out_rows, case.in_cols);
        let mut sum = TruncatingSum::new(SumRequest { method, tolerance, ..case.request(rank) }).expect("good sizes");
        let mut terms: Vec<Term<'_, Vec<u8>>> =
            case.terms.iter().zip(&dtypes).map(|(term, dtypes)| case.owned_term(term, *dtypes)).collect();
        let machine = &machines[draw.below(2)];
        let rest = terms.split_off(draw.below(terms.len() + 1));
        for batch in [terms, rest] {
            sum.add(batch, machine, &cancel).unwrap_or_else(|error| panic!("{context}: {error}"));
        }
        let answer = sum.truncate(machine, &cancel).unwrap_or_else(|error| panic!("{context}: {error}"));
        assert!(method.is_none_or(|method| method == answer.plan.method), "{context}: {:?}", answer.plan);
        taken[answer.method as usize] += 1;
        Truth::of(&case).assert_promise(&answer, &format!("{context}, {:?} of {tolerance}", answer.method));
    }
    eprintln!("answers by stacked, factored, accumulated, dense: {taken:?}");
    assert!(seeds().count() < 100 || taken.iter().all(|count| *count > 5), "every method is exercised: {taken:?}");
}
