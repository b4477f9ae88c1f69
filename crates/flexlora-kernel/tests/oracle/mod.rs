//! An independent answer for the tests: the dense sum in float64 by plain loops, decomposed by one-sided Jacobi.

#![allow(dead_code)] // each test file is a crate of its own and uses a part

pub mod promise;
pub mod spectra;
pub mod terms;

use flexlora_kernel::{Cancel, Dtype, MEMORY_BYTES, Machine, Method, Result, SumRequest, TOLERANCE, TruncatedSum, truncate};

/// xorshift64*: deliberately not the generator of the kernel.
pub struct Draw(pub u64);

impl Draw {
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn signed(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }
}

#[derive(Clone)]
pub struct OwnedTerm {
    pub label: String,
    pub coefficient: f64,
    pub rank: usize,
    pub b: Vec<f32>,
    pub a: Vec<f32>,
}

pub struct Case {
    pub out_rows: usize,
    pub in_cols: usize,
    pub terms: Vec<OwnedTerm>,
}

pub fn random_term(draw: &mut Draw, out_rows: usize, in_cols: usize, rank: usize, coefficient: f64) -> OwnedTerm {
    OwnedTerm {
        label: format!("agent-{}", draw.below(1000)),
        coefficient,
        rank,
        b: (0..out_rows * rank).map(|_| draw.signed() as f32).collect(),
        a: (0..rank * in_cols).map(|_| draw.signed() as f32).collect(),
    }
}

pub fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

impl Case {
    pub fn truncate(&self, rank: usize) -> Result<TruncatedSum> {
        self.truncate_by(self.request(rank))
    }

    pub fn truncate_with(&self, rank: usize, method: Method) -> Result<TruncatedSum> {
        self.truncate_by(SumRequest { method: Some(method), ..self.request(rank) })
    }

    pub fn truncate_by(&self, request: SumRequest) -> Result<TruncatedSum> {
        truncate(request, self.owned_terms(Dtype::F32), &Machine::new(2).expect("two threads"), &Cancel::default())
    }

    pub fn request(&self, rank: usize) -> SumRequest {
        SumRequest {
            module: "layers.0.q_proj".into(),
            out_rows: self.out_rows,
            in_cols: self.in_cols,
            rank,
            rank_sum: self.terms.iter().map(|term| term.rank).sum(),
            completion_seed: 11,
            tolerance: TOLERANCE,
            memory_bytes: MEMORY_BYTES,
            method: None,
        }
    }

    /// Row-major, out x in.
    pub fn dense(&self) -> Vec<f64> {
        let mut w = vec![0.0; self.out_rows * self.in_cols];
        for t in &self.terms {
            for i in 0..self.out_rows {
                for k in 0..t.rank {
                    let scaled = t.coefficient * f64::from(t.b[i * t.rank + k]);
                    for j in 0..self.in_cols {
                        w[i * self.in_cols + j] += scaled * f64::from(t.a[k * self.in_cols + j]);
                    }
                }
            }
        }
        w
    }
}

/// Singular values, descending, by one-sided Jacobi on the rows or columns, whichever are fewer.
pub fn singular_values(w: &[f64], rows: usize, cols: usize) -> Vec<f64> {
    let mut vectors: Vec<Vec<f64>> = if cols <= rows {
        (0..cols).map(|j| (0..rows).map(|i| w[i * cols + j]).collect()).collect()
    } else {
        w.chunks(cols).map(<[f64]>::to_vec).collect()
    };
    for _sweep in 0..60 {
        let mut turned = false;
        for p in 0..vectors.len() {
            for q in p + 1..vectors.len() {
                let (left, right) = vectors.split_at_mut(q);
                turned |= rotate(&mut left[p], &mut right[0]);
            }
        }
        if !turned {
            break;
        }
    }
    let mut values: Vec<f64> = vectors.iter().map(|v| dot(v, v).sqrt()).collect();
    values.sort_by(|a, b| b.total_cmp(a));
    values
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn rotate(p: &mut [f64], q: &mut [f64]) -> bool {
    let (alpha, beta, gamma) = (dot(p, p), dot(q, q), dot(p, q));
    if gamma.abs() <= 1e-15 * (alpha * beta).sqrt() {
        return false;
    }
    let zeta = (beta - alpha) / (2.0 * gamma);
    let t = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    for (x, y) in p.iter_mut().zip(q.iter_mut()) {
        (*x, *y) = (c * (*x - t * *y), c * (t * *x + *y));
    }
    true
}

/// Holds an answer against the dense sum: values, energy, best approximation at every rank, orthonormal rows, signs, residual.
pub fn assert_exact(case: &Case, answer: &TruncatedSum, context: &str) {
    let w = case.dense();
    let (rows, cols) = (case.out_rows, case.in_cols);
    let values = singular_values(&w, rows, cols);
    let largest = values[0];
    let total: f64 = w.iter().map(|x| x * x).sum();
    for (j, s) in answer.singular_values.iter().enumerate() {
        assert!((s - values[j]).abs() <= 1e-11 * largest, "{context}: value {j} is {s}, want {}", values[j]);
    }
    assert!((answer.energy_total - total).abs() <= 1e-11 * total, "{context}: energy {} want {total}", answer.energy_total);
    let mut rest = w;
    let mut dropped_squared = 0.0;
    for r in 0..=answer.rank {
        let best: f64 = values[r..].iter().map(|s| s * s).sum();
        dropped_squared = rest.iter().map(|x| x * x).sum::<f64>();
        let (got, best, norm) = (dropped_squared.sqrt(), best.sqrt(), total.sqrt());
        assert!((got - best).abs() <= 1e-6 * norm, "{context}: rank {r} leaves {got}, best is {best} of {norm}");
        if r < answer.rank {
            subtract_component(&mut rest, answer, r, rows, cols);
        }
    }
    assert_rows_orthonormal(answer, cols, context);
    let share = if total > 0.0 { (dropped_squared / total).sqrt() } else { 0.0 };
    assert!(answer.residual <= 2.0 * share + 1e-6 && answer.residual >= 0.4 * share - 1e-6, "{context}: residual {}", answer.residual);
}

fn subtract_component(rest: &mut [f64], answer: &TruncatedSum, j: usize, rows: usize, cols: usize) {
    let (u, v) = (&answer.u[j * rows..(j + 1) * rows], &answer.v[j * cols..(j + 1) * cols]);
    for (i, ui) in u.iter().enumerate() {
        for (k, vk) in v.iter().enumerate() {
            rest[i * cols + k] -= answer.singular_values[j] * f64::from(*ui) * f64::from(*vk);
        }
    }
}

pub fn assert_rows_orthonormal(answer: &TruncatedSum, cols: usize, context: &str) {
    let row = |j: usize| -> Vec<f64> { answer.v[j * cols..(j + 1) * cols].iter().map(|x| f64::from(*x)).collect() };
    for p in 0..answer.rank {
        for q in 0..=p {
            let want = if p == q { 1.0 } else { 0.0 };
            assert!((dot(&row(p), &row(q)) - want).abs() <= 1e-6, "{context}: v rows {p} and {q}");
        }
        let largest = row(p).iter().fold(0.0f64, |m, x| m.max(x.abs()));
        let first = row(p).into_iter().find(|x| x.abs() >= largest * (1.0 - 2e-6));
        assert!(first.is_some_and(|x| x > 0.0), "{context}: sign of v row {p}");
    }
}
