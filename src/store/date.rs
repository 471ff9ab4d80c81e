//! Dates as AWS writes them: `2018-11-14T23:03:52.894+0000`.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY_MS: i64 = 86_400_000;

/// The time now.
pub(super) fn now() -> String {
    of(SystemTime::now())
}

/// A time of 1970 or later.
pub fn of(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    written(i64::try_from(since.as_millis()).unwrap_or(0))
}

/// A time in milliseconds since 1970-01-01 UTC.
fn written(ms: i64) -> String {
    let (days, ms) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let (hour, minute, second, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}+0000")
}

/// The Gregorian date of a day counted from 1970-01-01. Years begin in March here, so that the leap day
/// is the last one; 400 years are 146,097 days.
pub fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_aws_does() {
        assert_eq!(written(1_542_236_632_894), "2018-11-14T23:03:52.894+0000");
        assert_eq!(written(951_782_400_000), "2000-02-29T00:00:00.000+0000");
    }
}
