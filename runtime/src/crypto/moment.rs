//! Moments as proposals write them.

use affiant_kv::KeyError;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

/// Reads `YYMMDDHHMMSSZ`, `YYYYMMDDHHMMSSZ`, or ISO 8601 with date and time, with or without fraction
/// and offset (`2026-01-31T12:00:00Z`, `2026-01-31 12:00:00.5+01:00`); returns unix seconds. Without
/// an offset it is UTC.
///
/// # Errors
/// It is none of these, or before 1970.
pub(crate) fn parse_moment(text: &str) -> Result<u64, KeyError> {
    let bare = text.trim();
    let moment = compact(bare)
        .or_else(|| iso(bare))
        .and_then(|moment| u64::try_from(moment.unix_timestamp()).ok());
    moment.ok_or_else(|| {
        KeyError(format!(
            "{text:?} is no moment; write it as 2026-01-31T12:00:00Z or as 260131120000Z"
        ))
    })
}

fn number(text: &str) -> Option<u16> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn at(year: i32, month: &str, day: &str, time: [&str; 3]) -> Option<OffsetDateTime> {
    let small = |text: &str| u8::try_from(number(text)?).ok();
    let month = Month::try_from(small(month)?).ok()?;
    let date = Date::from_calendar_date(year, month, small(day)?).ok()?;
    let time = Time::from_hms(small(time[0])?, small(time[1])?, small(time[2])?).ok()?;
    Some(OffsetDateTime::new_utc(date, time))
}

fn compact(text: &str) -> Option<OffsetDateTime> {
    let digits = text.strip_suffix('Z')?;
    if !digits.is_ascii() || !matches!(digits.len(), 12 | 14) {
        return None;
    }
    let (year, rest) = digits.split_at(digits.len() - 10);
    let year = i32::from(number(year)?);
    // As in X.509's UTCTime.
    let year = match rest.len() + digits.len() {
        22 if year < 50 => year + 2000,
        22 => year + 1900,
        _ => year,
    };
    at(year, &rest[..2], &rest[2..4], [&rest[4..6], &rest[6..8], &rest[8..10]])
}

fn iso(text: &str) -> Option<OffsetDateTime> {
    let (date, rest) = text.split_once(['T', ' '])?;
    let mut date = date.split('-');
    let (year, month, day) = (date.next()?, date.next()?, date.next()?);
    if date.next().is_some() || year.len() != 4 {
        return None;
    }
    let end = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (time, offset) = rest.split_at(end);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut time = time.split(':');
    let (hour, minute, second) = (time.next()?, time.next()?, time.next()?);
    if time.next().is_some() {
        return None;
    }
    let moment = at(i32::from(number(year)?), month, day, [hour, minute, second])?;
    let offset = match offset {
        "" | "Z" => UtcOffset::UTC,
        other => {
            let west = other.starts_with('-');
            let rest = other.strip_prefix(['+', '-'])?;
            let (hours, minutes) = rest
                .split_once(':')
                .or_else(|| rest.split_at_checked(2))
                .filter(|(hours, _)| hours.len() == 2)?;
            let part = |text: &str| {
                let part = i8::try_from(number(text)?).ok()?;
                Some(if west { -part } else { part })
            };
            let minutes = if minutes.is_empty() { "0" } else { minutes };
            UtcOffset::from_hms(part(hours)?, part(minutes)?, 0).ok()?
        }
    };
    Some(moment.replace_offset(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_the_forms_that_proposals_use() {
        let noon = 1_769_860_800;
        for text in [
            "260131120000Z",
            "20260131120000Z",
            "2026-01-31T12:00:00Z",
            "2026-01-31T12:00:00",
            "2026-01-31 12:00:00.123456",
            "2026-01-31T12:00:00.000Z",
            "2026-01-31T13:30:00+01:30",
            "2026-01-31T12:00:00+00:00",
            "2026-01-31T10:00:00-0200",
            "2026-01-31T14:00:00+02",
        ] {
            assert_eq!(parse_moment(text), Ok(noon), "{text}");
        }
        for text in [
            "",
            "now",
            "Z",
            "2026-01-31",
            "2026-02-30T12:00:00Z",
            "260131120000",
            "600131120000Z",
            "2026-01-31T12:00Z",
            "2026-01-31T25:00:00Z",
            "2026-01-31T12:00:00+x",
            "26013\u{e9}20000Z",
            "2026-01-31T12:00:00.x",
            "2026-01-31T12:00:00.\u{e9}\u{e9}\u{e9}",
            "2026-01-31T12:00:00.1\u{e9}\u{e9}",
            "2026-01-31T12:00:00Z05",
            "2026-01-31T12:00:00+1\u{e9}",
            "2026-01-31T12:00:00+1:00",
            "2026-01-31T12:00:00+02:60",
        ] {
            assert!(parse_moment(text).is_err(), "{text}");
        }
    }
}
