//! What a receiver's answer means: it has the event, or why not, and when to come again.
//!
//! Nothing is given up: what was not taken comes again. The status says who has to wait, all events or those of one
//! workspace, and whether somebody has to change something.

use http::{
    HeaderMap, StatusCode,
    header::{DATE, RETRY_AFTER},
};
use jiff::fmt::rfc2822;

use crate::{
    domain::time::UnixMillis,
    events::{Receipt, SinkError},
};

/// Longest wait that a receiver can ask for, in seconds.
const WAIT_SECS_MAX: u64 = 600;

/// Reads an answer.
pub(super) fn read(
    status: StatusCode,
    headers: &HeaderMap,
    now: UnixMillis,
) -> Result<Receipt, SinkError> {
    let why = || format!("it answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Ok(Receipt::New),
        300..=399 => {
            let what = "redirects are not followed, webhooks.url must say where events go";
            Err(SinkError::Unfit(format!("{}; {what}", why())))
        }
        410 => Err(SinkError::Gone(why())),
        429 | 503 => Err(match wait_secs(headers, now) {
            Some(secs) => SinkError::Busy { why: why(), secs: secs.min(WAIT_SECS_MAX) },
            None => SinkError::Refused(why()),
        }),
        408 | 425 | 502 | 504 => Err(SinkError::Refused(why())),
        // About who we are, where we come and in which form: it would be the same for every event.
        401..=407 | 411 | 412 | 414..=418 | 421 | 426 | 431 | 505 | 511 => {
            Err(SinkError::Unfit(why()))
        }
        400..=599 => Err(SinkError::Rejected(why())),
        _ => Err(SinkError::Unfit(why())),
    }
}

/// Returns for how long a receiver wants to be left alone: it says so in seconds or as a time, by its own clock if it
/// tells that.
fn wait_secs(headers: &HeaderMap, now: UnixMillis) -> Option<u64> {
    let asked = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has are a long time.
        return Some(asked.parse().unwrap_or(u64::MAX));
    }
    let seconds = |text: &str| {
        let time = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(time.as_second())
    };
    let date = headers.get(DATE).and_then(|date| seconds(date.to_str().ok()?));
    let wait = seconds(asked)?.saturating_sub(date.unwrap_or(now.0 / 1000));
    Some(u64::try_from(wait).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(784_111_777_000);

    fn answer(status: u16, headers: &[(&'static str, &str)]) -> Result<Receipt, SinkError> {
        let header = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), value.parse().unwrap())
        };
        let headers = headers.iter().map(header).collect();
        read(StatusCode::from_u16(status).unwrap(), &headers, NOW)
    }

    fn reason(status: u16) -> &'static str {
        answer(status, &[]).map_or_else(|error| error.reason(), |_| "taken")
    }

    #[test]
    fn every_status_has_a_meaning_and_only_success_takes_an_event() {
        for (status, meaning) in [
            (200, "taken"),
            (202, "taken"),
            (204, "taken"),
            (101, "unfit"),
            (301, "unfit"),
            (304, "unfit"),
            (308, "unfit"),
            (400, "rejected"),
            (401, "unfit"),
            (403, "unfit"),
            (404, "unfit"),
            (405, "unfit"),
            (408, "refused"),
            (409, "rejected"),
            (410, "gone"),
            (413, "rejected"),
            (415, "unfit"),
            (422, "rejected"),
            (429, "refused"),
            (451, "rejected"),
            (500, "rejected"),
            (501, "rejected"),
            (502, "refused"),
            (503, "refused"),
            (504, "refused"),
            (599, "rejected"),
            (600, "unfit"),
            (999, "unfit"),
        ] {
            assert_eq!(reason(status), meaning, "{status}");
        }
    }

    #[test]
    fn a_receiver_says_when_to_come_again_within_a_bound() {
        let secs = |headers: &[(&'static str, &str)]| match answer(429, headers) {
            Err(SinkError::Busy { secs, .. }) => Some(secs),
            Err(SinkError::Refused(_)) => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(secs(&[("retry-after", "7")]), Some(7));
        assert_eq!(secs(&[("retry-after", "0")]), Some(0));
        assert_eq!(secs(&[("retry-after", "86400")]), Some(600));
        assert_eq!(secs(&[("retry-after", "99999999999999999999999999")]), Some(600));
        // RFC 9110 writes this time, 784,111,777 s after the epoch, as its example.
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(secs(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), Some(30));
        assert_eq!(secs(&[("retry-after", date)]), Some(0));
        assert_eq!(secs(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]), Some(0));
        assert_eq!(secs(&[("retry-after", "Tue, 31 Dec 2999 23:59:59 GMT")]), Some(600));
        // Its clock goes an hour behind ours.
        let late = [
            ("retry-after", "Sun, 06 Nov 1994 07:50:07 GMT"),
            ("date", "Sun, 06 Nov 1994 07:50:00 GMT"),
        ];
        assert_eq!(secs(&late), Some(7));
        for wrong in ["", "-5", "soon", "1.5", "12 hours"] {
            assert_eq!(secs(&[("retry-after", wrong)]), None, "{wrong}");
        }
        assert!(matches!(
            answer(503, &[("retry-after", "3")]),
            Err(SinkError::Busy { secs: 3, .. })
        ));
        assert_eq!(answer(500, &[("retry-after", "3")]).unwrap_err().reason(), "rejected");
    }
}
