//! The answer is the best approximation of the sum at every rank, whatever the shapes, ranks and coefficients.

mod oracle;

use flexlora_kernel::Method;
use oracle::{Case, Draw, assert_exact, random_term};

/// `FLEXLORA_SEED=123 cargo test` replays one case.
fn seeds() -> Vec<u64> {
    match std::env::var("FLEXLORA_SEED") {
        Ok(seed) => vec![seed.parse().expect("FLEXLORA_SEED is a whole number")],
        Err(_) => (1..=120).collect(),
    }
}

#[test]
fn random_sums_are_truncated_exactly_at_every_rank() {
    let mut methods = [0, 0];
    for seed in seeds() {
        let mut draw = Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (out_rows, in_cols) = (1 + draw.below(40), 1 + draw.below(40));
        let terms = (0..1 + draw.below(6))
            .map(|_| {
                let rank = 1 + draw.below(8);
                let coefficient = draw.signed() * 10f64.powi(draw.below(5) as i32 - 2);
                random_term(&mut draw, out_rows, in_cols, rank, coefficient)
            })
            .collect();
        let case = Case { out_rows, in_cols, terms };
        let rank = 1 + draw.below(48);
        let answer = case.truncate(rank).expect("finite input");
        assert_eq!(answer.rank, rank.min(out_rows).min(in_cols));
        methods[usize::from(answer.method == Method::Dense)] += 1;
        assert_exact(&case, &answer, &format!("FLEXLORA_SEED={seed} ({out_rows} x {in_cols}, R = {})", answer.rank_sum));
    }
    assert!(seeds().len() == 1 || methods.iter().all(|n| *n > 20), "both methods are exercised: {methods:?}");
}

#[test]
fn blocked_sizes_are_exact_in_both_methods() {
    let mut draw = Draw(77);
    for (out_rows, in_cols, ranks) in [(200, 150, vec![16, 30, 8]), (150, 310, vec![64, 70, 80]), (300, 24, vec![40, 9])] {
        let terms = ranks.iter().map(|r| random_term(&mut draw, out_rows, in_cols, *r, 0.25)).collect();
        let case = Case { out_rows, in_cols, terms };
        let answer = case.truncate(20).expect("finite input");
        assert_exact(&case, &answer, &format!("{out_rows} x {in_cols}"));
    }
}

#[test]
fn the_same_request_gives_the_same_bytes_on_any_thread() {
    let mut draw = Draw(5);
    for ranks in [[8, 16, 12], [40, 60, 50]] {
        let terms = ranks.iter().map(|r| random_term(&mut draw, 120, 90, *r, 0.5)).collect();
        let case = Case { out_rows: 120, in_cols: 90, terms };
        let first = case.truncate(24).expect("finite input");
        std::thread::scope(|scope| {
            let others: Vec<_> = (0..3).map(|_| scope.spawn(|| case.truncate(24))).collect();
            for other in others {
                assert_eq!(other.join().expect("no panic").expect("finite input"), first);
            }
        });
    }
}
