//! A month in UTC: what every number is booked to.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

/// A month in UTC, from January 2000 to December 9998.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i16,
    number: i8,
}

/// What is no month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no month: write it as 2026-03")]
pub struct NoMonth(String);

impl Month {
    /// The month that a moment is in, in µs since 1970 UTC; none before 2000 or after 9998.
    pub fn of_us(us: i64) -> Option<Self> {
        let moment = Timestamp::from_microsecond(us).ok()?;
        Self::of(moment.to_zoned(TimeZone::UTC).date())
    }

    fn of(day: Date) -> Option<Self> {
        (2000..=9998).contains(&day.year()).then(|| Self {
            year: day.year(),
            number: day.month(),
        })
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.year
    }

    /// January is 1.
    pub fn number(self) -> i8 {
        self.number
    }

    /// The month after this one.
    #[must_use]
    pub fn next(self) -> Self {
        if self.number == 12 {
            Self {
                year: self.year + 1,
                number: 1,
            }
        } else {
            Self {
                number: self.number + 1,
                ..self
            }
        }
    }

    /// Its first moment, in seconds since 1970 UTC.
    pub fn start_s(self) -> i64 {
        let first = date(self.year, self.number, 1);
        first
            .to_zoned(TimeZone::UTC)
            .map_or(0, |first| first.timestamp().as_second())
    }

    /// Its last second, in seconds since 1970 UTC.
    pub fn last_s(self) -> i64 {
        self.next().start_s() - 1
    }

    /// Its first moment, in µs since 1970 UTC.
    pub fn start_us(self) -> i64 {
        self.start_s() * 1_000_000
    }

    /// The first moment after it, in µs since 1970 UTC.
    pub fn end_us(self) -> i64 {
        self.next().start_us()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:04}-{:02}", self.year, self.number))
    }
}

impl FromStr for Month {
    type Err = NoMonth;

    fn from_str(text: &str) -> Result<Self, NoMonth> {
        let digits = |part: &str, length| {
            (part.len() == length && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse::<i16>().ok())
                .flatten()
        };
        text.split_once('-')
            .and_then(|(year, number)| Some((digits(year, 4)?, digits(number, 2)?)))
            .and_then(|(year, number)| Date::new(year, i8::try_from(number).ok()?, 1).ok())
            .and_then(Self::of)
            .ok_or_else(|| NoMonth(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_knows_its_ends() {
        let month: Month = "2024-02".parse().unwrap();
        assert_eq!(month.start_s(), 1_706_745_600);
        assert_eq!(month.last_s(), 1_709_251_199);
        assert_eq!(Month::of_us(month.end_us() - 1), Some(month));
        assert_eq!(Month::of_us(month.end_us()), Some(month.next()));
        assert_eq!(
            "2026-12".parse::<Month>().unwrap().next().to_string(),
            "2027-01"
        );
    }

    #[test]
    fn what_is_no_month_is_refused() {
        for bad in [
            "", "2026", "2026-13", "2026-00", "1999-12", "26-1", "2026-3", "2026-+3",
        ] {
            assert!(bad.parse::<Month>().is_err(), "{bad}");
        }
        for bad in [i64::MIN, -1, 0, i64::MAX] {
            assert_eq!(Month::of_us(bad), None, "{bad}");
        }
    }
}
