//! What a definition computes: paths, intrinsic functions, payload templates, JSONata expressions.

pub(crate) mod context;
pub(crate) mod intrinsics;
pub(crate) mod jsonata;
pub(crate) mod jsonpath;
pub(crate) mod numbers;
pub(crate) mod path;
pub(crate) mod reference_path;
pub(crate) mod template;
pub(crate) mod token;
pub(crate) mod variables;
