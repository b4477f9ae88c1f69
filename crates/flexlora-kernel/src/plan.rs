//! Which method is the cheapest for a shape, and what it will take. The choice depends on the request alone, never on a measurement of
//! the machine or on its threads, so that every machine that is asked for the same goes the same way.

use crate::cost::{Cost, blocks_expected, cost};

/// How W is decomposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// QR of the stacked factors in float64 and the SVD of a small core; never forms W.
    Stacked,
    /// A block Krylov iteration on `x -> sum of c_k B_k (A_k x)` in float32; never forms W, and reads the factors again at every step.
    Factored,
    /// The same iteration on W, which is accumulated in float32 as the terms come in.
    Accumulated,
    /// Accumulates W in float64 and decomposes all of it.
    Dense,
}

/// The sizes that decide.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub out_rows: usize,
    pub in_cols: usize,
    /// Sum of the terms' ranks.
    pub rank_sum: usize,
    /// Components wanted.
    pub rank: usize,
}

/// The choice and its forecast, known before the first term is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    pub method: Method,
    /// Blocks of the iteration that a spectrum of moderate decay takes; 0 for a method without one.
    pub blocks: usize,
    /// Multiplications and additions.
    pub operations: f64,
    /// Upper bound of the bytes held at any time, without the terms that the caller holds.
    pub scratch_bytes: usize,
    /// On the machine that `cost` was measured on: two cores with AVX-512. What other machines take is in proportion to their speed.
    pub seconds: f64,
}

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unplanned {
    /// The method that takes the least memory, and the bytes that it takes.
    TooLarge { method: Method, scratch_bytes: usize },
    /// The method asked for needs a sum of ranks below the short side.
    DoesNotApply { method: Method },
}

const METHODS: [Method; 4] = [Method::Stacked, Method::Factored, Method::Accumulated, Method::Dense];

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Method::Stacked => "stacked",
            Method::Factored => "factored",
            Method::Accumulated => "accumulated",
            Method::Dense => "dense",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        METHODS.into_iter().find(|method| method.name() == name)
    }

    /// Whether the method is an iteration in float32.
    pub fn iterates(self) -> bool {
        matches!(self, Method::Factored | Method::Accumulated)
    }

    /// A tall QR needs more rows than columns on both sides.
    fn applies(self, shape: Shape) -> bool {
        self != Method::Stacked || shape.rank_sum < shape.out_rows.min(shape.in_cols)
    }
}

/// The fastest method by `cost` among those that apply and fit, the first of equals; with `method`, that one or none.
pub fn plan(shape: Shape, method: Option<Method>, memory_bytes: usize) -> Result<Plan, Unplanned> {
    if let Some(method) = method.filter(|method| !method.applies(shape)) {
        return Err(Unplanned::DoesNotApply { method });
    }
    let wanted = |candidate: &Method| candidate.applies(shape) && method.is_none_or(|method| *candidate == method);
    let plans: Vec<Plan> = METHODS.into_iter().filter(wanted).map(|method| plan_of(method, shape)).collect();
    let fitting = plans.iter().filter(|plan| plan.scratch_bytes <= memory_bytes);
    if let Some(fastest) = fitting.min_by(|a, b| a.seconds.total_cmp(&b.seconds)) {
        return Ok(*fastest);
    }
    let smallest = plans.iter().min_by_key(|plan| plan.scratch_bytes).unwrap_or(&plans[0]);
    Err(Unplanned::TooLarge { method: smallest.method, scratch_bytes: smallest.scratch_bytes })
}

fn plan_of(method: Method, shape: Shape) -> Plan {
    let blocks = if method.iterates() { blocks_expected(shape) } else { 0 };
    let Cost { operations, scratch_bytes, seconds } = cost(method, shape, blocks);
    Plan { method, blocks, operations, scratch_bytes, seconds }
}
