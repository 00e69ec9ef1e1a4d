//! How moments look outside.

use landfall_common::StoreTime;
use serde::{Serialize, Serializer};

/// A moment by the store's clock, as RFC 3339 with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, utoipa::ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-23T12:00:00.000Z")]
pub(crate) struct Moment(pub(crate) StoreTime);

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A store time that no calendar knows is a damaged record: shown as the epoch, never a panic.
        let millis = i64::try_from(self.0.as_millis()).unwrap_or_default();
        let time = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
        write!(f, "{time:.3}")
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_rfc_3339_with_milliseconds() {
        let moment = Moment(StoreTime(1_763_899_200_120_999));
        assert_eq!(moment.to_string(), "2025-11-23T12:00:00.120Z");
        assert_eq!(Moment(StoreTime(u64::MAX)).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
