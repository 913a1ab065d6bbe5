//! Points in time as people and programs read them in the log, in one time zone that is looked up
//! once. Reads no clock and, while lines are written, no file.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use crate::engine::time::Wall;

/// Writes times of one zone.
#[derive(Clone, Debug)]
pub(super) struct Stamps {
    zone: TimeZone,
}

impl Stamps {
    pub(super) const fn of(zone: TimeZone) -> Self {
        Self { zone }
    }

    /// Appends `2024-05-15 18:29:19.702689`.
    pub(super) fn text(&self, out: &mut String, at: Wall) {
        let (time, _) = self.local(at);
        push_time(out, time, ' ');
    }

    /// Appends `2024-05-15T18:29:19.702689+08:00` (RFC 3339).
    pub(super) fn rfc3339(&self, out: &mut String, at: Wall) {
        let (mut time, mut offset) = self.local(at);
        // The form knows no seconds in an offset; zones had such before they were made uniform.
        if offset.seconds() % 60 != 0 {
            offset = Offset::UTC;
            time = offset.to_datetime(timestamp(at));
        }
        push_time(out, time, 'T');
        let minutes = offset.seconds() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.abs();
        _ = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    }

    fn local(&self, at: Wall) -> (DateTime, Offset) {
        let at = timestamp(at);
        let offset = self.zone.to_offset(at);
        (offset.to_datetime(at), offset)
    }
}

/// The nearest time that a calendar can say.
fn timestamp(at: Wall) -> Timestamp {
    Timestamp::from_microsecond(at.0).unwrap_or(if at.0 < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

fn push_time(out: &mut String, time: DateTime, between: char) {
    _ = write!(
        out,
        "{:04}-{:02}-{:02}{between}{:02}:{:02}:{:02}.{:06}",
        time.year(),
        time.month(),
        time.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.subsec_nanosecond() / 1000,
    );
}
