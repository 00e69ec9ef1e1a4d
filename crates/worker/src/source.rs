//! Reading a source.
