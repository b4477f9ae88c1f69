//! What the inner loop reaches when nothing has to be fetched.

use std::time::{Duration, Instant};

use super::lines::Lines;
use super::panel::WIDTH;
use super::threads::Threads;
use super::tile::{ALONG, HEIGHT, Keep, Layout, Product, Tile};

/// Steps of the tile: with its 48 columns they fill half a first-level cache.
const STEPS: usize = 96;
/// How long one trial should take: long enough for the clock, short enough to fit between interruptions.
const TRIAL: Duration = Duration::from_millis(2);
const TRIALS: usize = 4;

/// Float32 operations a second of all threads together, a multiplication and an addition counting as two; the best of a few trials,
/// which take about 10 ms.
pub fn measured_peak(threads: &Threads) -> f64 {
    let mut tiles = 64;
    while trial(threads, tiles) < TRIAL {
        tiles *= 2;
    }
    let fastest = (0..TRIALS).map(|_| trial(threads, tiles)).min().unwrap_or(TRIAL);
    let operations = 2 * HEIGHT * WIDTH * STEPS * tiles * threads.count();
    operations as f64 / fastest.as_secs_f64()
}

/// Every thread multiplies this many tiles.
fn trial(threads: &Threads, tiles: usize) -> Duration {
    let start = Instant::now();
    threads.for_each(vec![(); threads.count()], |scratch, ()| {
        let floats = scratch.floats(HEIGHT * ALONG + STEPS * WIDTH);
        floats.fill(1.0);
        let (left, right) = floats.split_at(HEIGHT * ALONG);
        let mut out = Lines::zeros(HEIGHT * WIDTH);
        for _ in 0..tiles {
            let tile = Tile { layout: Layout::Along, height: HEIGHT, steps: STEPS, floats: left };
            let out = out.as_mut_slice();
            threads.kernels().multiply(Product { tile, right, out, stride: WIDTH, keep: Keep::Overwrite, ahead: &[] });
        }
        std::hint::black_box(out.as_slice());
    });
    start.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_a_rate() {
        let peak = measured_peak(&Threads::new(1).unwrap());
        assert!(peak.is_finite() && peak > 0.0);
    }
}
