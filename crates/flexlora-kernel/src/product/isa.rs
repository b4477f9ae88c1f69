//! Sets of instructions that the products are written for.

/// Best first. All give the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isa {
    /// Sixteen lanes: AVX-512 F, BW, DQ and VL, and F16C for eight.
    Avx512,
    /// Eight lanes: AVX2, FMA and F16C.
    Avx2,
    /// Plain Rust. On aarch64 `f32::mul_add` is one NEON instruction; nobody has measured it there. On an x86-64 without FMA it is a call
    /// of the C library that is a hundred times slower: right, and meant for tests only.
    Portable,
}

impl Isa {
    /// The best that this processor has.
    pub fn detect() -> Self {
        [Self::Avx512, Self::Avx2].into_iter().find(|isa| isa.is_available()).unwrap_or(Self::Portable)
    }

    /// All that this processor has, best first.
    pub fn available() -> Vec<Self> {
        [Self::Avx512, Self::Avx2, Self::Portable].into_iter().filter(|isa| isa.is_available()).collect()
    }

    #[cfg(target_arch = "x86_64")]
    pub fn is_available(self) -> bool {
        match self {
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("f16c")
            }
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c"),
            Self::Portable => true,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub fn is_available(self) -> bool {
        self == Self::Portable
    }
}

#[cfg(test)]
mod tests {
    use super::Isa;

    #[test]
    fn the_detected_one_is_the_best_available_and_portable_is_the_last() {
        assert_eq!(Isa::available().first(), Some(&Isa::detect()));
        assert_eq!(Isa::available().last(), Some(&Isa::Portable));
    }
}
