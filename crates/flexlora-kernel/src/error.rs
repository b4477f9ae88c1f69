//! What the kernel refuses or could not do.

use std::fmt;

/// The closed list of reasons. The names on the TypeScript side are the same in camelCase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    BadShape,
    BadRank,
    BadTolerance,
    /// There is no such method, or it does not apply to these sizes.
    BadMethod,
    /// More memory than is allowed.
    TooLarge,
    NotFinite,
    NotConverged,
    Cancelled,
    Internal,
}

impl ErrorCode {
    pub fn name(self) -> &'static str {
        match self {
            ErrorCode::BadShape => "badShape",
            ErrorCode::BadRank => "badRank",
            ErrorCode::BadTolerance => "badTolerance",
            ErrorCode::BadMethod => "badMethod",
            ErrorCode::TooLarge => "tooLarge",
            ErrorCode::NotFinite => "notFinite",
            ErrorCode::NotConverged => "notConverged",
            ErrorCode::Cancelled => "cancelled",
            ErrorCode::Internal => "internal",
        }
    }
}

/// The message says what was got, what is allowed and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelError {
    pub code: ErrorCode,
    pub message: String,
}

impl KernelError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl std::error::Error for KernelError {}

pub type Result<T> = std::result::Result<T, KernelError>;
