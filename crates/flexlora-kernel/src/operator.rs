//! W as the iteration sees it: something that multiplies skinny matrices, from both sides.

use crate::machine::Machine;
use crate::product::Panel;

pub trait Operator: Sync {
    /// `W X`, X in x 48.
    fn times(&self, machine: &Machine, x: &Panel) -> Panel;
    /// `Wᵀ Y`, Y out x 48.
    fn transposed_times(&self, machine: &Machine, y: &Panel) -> Panel;
}
