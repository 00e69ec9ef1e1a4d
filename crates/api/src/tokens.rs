//! Machine tokens: made, listed, revoked. Their secret is shown once, when they are made.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod view;
