//! When a migration's slices may start, as its submitter wants it. Pure: the store's time goes in.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::StoreTime;

/// When slices may start. What runs is not stopped at the end of the hours: a slice takes minutes at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StartTimes {
    /// Not before this moment, written as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", with = "rfc_3339")]
    pub not_before: Option<StoreTime>,
    /// Within these hours of each day alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
}

/// Hours of the day. Where `from` is later than `to`, they go over midnight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`, not within any more.
    pub to: String,
    /// A name of the IANA database, such as `Europe/Berlin`.
    pub time_zone: String,
}

/// Hours that make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHours {
    /// Not `HH:MM`.
    #[error("{0:?} is not a time of the day: HH:MM")]
    NotATime(String),
    /// Not in the IANA database that this version has.
    #[error("{0:?} is no time zone of the IANA database")]
    UnknownTimeZone(String),
    /// Both are the same.
    #[error("from and to are the same")]
    Empty,
}

mod rfc_3339 {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

    use crate::StoreTime;

    #[expect(clippy::ref_option, reason = "the form that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        time: &Option<StoreTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let stamp = |time: &StoreTime| {
            let micros = i64::try_from(time.as_micros()).map_err(ser::Error::custom)?;
            Timestamp::from_microsecond(micros).map(|stamp| stamp.to_string()).map_err(ser::Error::custom)
        };
        time.as_ref().map(stamp).transpose()?.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<StoreTime>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| super::moment(&text).map_err(de::Error::custom)).transpose()
    }
}

/// A moment as people write it: RFC 3339 with an offset.
///
/// # Errors
/// Says what is wrong with the text.
pub fn moment(text: &str) -> Result<StoreTime, String> {
    let stamp: Timestamp = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    u64::try_from(stamp.as_microsecond()).map(StoreTime).map_err(|_| "is before 1970".to_owned())
}

/// Hours as they are reckoned with.
struct Known {
    from: Time,
    to: Time,
    zone: TimeZone,
}

impl StartTimes {
    /// Whether slices may start at any time.
    pub fn is_always(&self) -> bool {
        *self == Self::default()
    }

    /// How long from `now` until a slice may start that is due in `delay`: at least `delay`.
    pub fn delay(&self, now: StoreTime, delay: Duration) -> Duration {
        if self.is_always() {
            return delay;
        }
        let due = now.plus(delay);
        let due = self.not_before.map_or(due, |not_before| due.max(not_before));
        let due = self.hours.as_ref().map_or(due, |hours| hours.next(due));
        due.since(now)
    }
}

impl Hours {
    /// Says what is wrong with them.
    ///
    /// # Errors
    /// A time that is none, an unknown time zone, or hours that are empty.
    pub fn check(&self) -> Result<(), BadHours> {
        self.known().map(|_| ())
    }

    fn known(&self) -> Result<Known, BadHours> {
        let from = time_of_day(&self.from)?;
        let to = time_of_day(&self.to)?;
        if from == to {
            return Err(BadHours::Empty);
        }
        let zone =
            TimeZone::get(&self.time_zone).map_err(|_| BadHours::UnknownTimeZone(self.time_zone.clone()))?;
        Ok(Known { from, to, zone })
    }

    /// The first moment from `due` on that is within the hours. Hours that this version cannot read bind nothing: they
    /// were checked by the version that took them in, and a migration must not stick.
    fn next(&self, due: StoreTime) -> StoreTime {
        self.known().ok().and_then(|known| known.next(due)).unwrap_or(due)
    }
}

impl Known {
    /// None beyond the calendar.
    fn next(&self, due: StoreTime) -> Option<StoreTime> {
        let stamp = Timestamp::from_microsecond(i64::try_from(due.as_micros()).ok()?).ok()?;
        let local = self.zone.to_datetime(stamp);
        if self.holds(local.time()) {
            return Some(due);
        }
        let today = local.date();
        let day = if local.time() < self.from { today } else { today.tomorrow().ok()? };
        // Where a change to summer time leaves the time of day out, the moment is that after the gap.
        let opens = self.zone.to_timestamp(DateTime::from_parts(day, self.from)).ok()?;
        u64::try_from(opens.as_microsecond()).ok().map(StoreTime)
    }

    fn holds(&self, time: Time) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&time)
        } else {
            time >= self.from || time < self.to
        }
    }
}

fn time_of_day(text: &str) -> Result<Time, BadHours> {
    let bad = || BadHours::NotATime(text.to_owned());
    let (hours, minutes) = text.split_once(':').ok_or_else(bad)?;
    let number = |digits: &str| -> Option<i64> {
        (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| digits.parse().ok())?
    };
    let (Some(hours @ 0..24), Some(minutes @ 0..60)) = (number(hours), number(minutes)) else {
        return Err(bad());
    };
    Time::midnight().checked_add(Span::new().hours(hours).minutes(minutes)).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> StoreTime {
        let stamp: Timestamp = text.parse().unwrap();
        StoreTime(u64::try_from(stamp.as_microsecond()).unwrap())
    }

    fn hours(from: &str, to: &str, zone: &str) -> Hours {
        Hours { from: from.into(), to: to.into(), time_zone: zone.into() }
    }

    fn starts(times: &StartTimes, now: &str) -> StoreTime {
        let now = at(now);
        now.plus(times.delay(now, Duration::ZERO))
    }

    #[test]
    fn slices_start_within_the_hours_of_the_site() {
        let nights = StartTimes { not_before: None, hours: Some(hours("22:00", "06:00", "Europe/Berlin")) };
        assert_eq!(starts(&nights, "2026-07-01T12:00:00Z"), at("2026-07-01T20:00:00Z"));
        assert_eq!(starts(&nights, "2026-07-01T20:00:00Z"), at("2026-07-01T20:00:00Z"));
        assert_eq!(starts(&nights, "2026-07-02T03:59:00Z"), at("2026-07-02T03:59:00Z"));
        assert_eq!(starts(&nights, "2026-07-02T04:00:00Z"), at("2026-07-02T20:00:00Z"));
        assert_eq!(starts(&nights, "2026-12-01T12:00:00Z"), at("2026-12-01T21:00:00Z"));
        let lunch = StartTimes { not_before: None, hours: Some(hours("12:00", "13:30", "UTC")) };
        assert_eq!(starts(&lunch, "2026-01-01T13:30:00Z"), at("2026-01-02T12:00:00Z"));
    }

    #[test]
    fn an_hour_that_a_clock_change_leaves_out_begins_behind_it() {
        let gap = StartTimes { not_before: None, hours: Some(hours("02:30", "03:30", "Europe/Berlin")) };
        assert_eq!(starts(&gap, "2026-03-28T23:00:00Z"), at("2026-03-29T01:30:00Z"));
    }

    #[test]
    fn nothing_starts_before_its_time_nor_sooner_than_it_is_due() {
        let times = StartTimes { not_before: Some(at("2026-01-02T00:00:00Z")), hours: None };
        assert_eq!(starts(&times, "2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
        assert_eq!(starts(&times, "2026-01-03T00:00:00Z"), at("2026-01-03T00:00:00Z"));
        let hour = Duration::from_secs(3600);
        assert_eq!(times.delay(at("2026-01-03T00:00:00Z"), hour), hour);
        assert_eq!(StartTimes::default().delay(at("2026-01-03T00:00:00Z"), hour), hour);
    }

    #[test]
    fn hours_that_make_no_sense_are_refused() {
        assert!(hours("22:00", "6:00", "UTC").check().is_err());
        assert!(hours("24:00", "06:00", "UTC").check().is_err());
        assert_eq!(hours("06:00", "06:00", "UTC").check(), Err(BadHours::Empty));
        assert!(matches!(hours("22:00", "06:00", "Mars/Base").check(), Err(BadHours::UnknownTimeZone(_))));
        assert_eq!(hours("22:00", "06:00", "America/New_York").check(), Ok(()));
    }
}
