//! Time zones for schedules: found on the machine, else in the program itself, and made plain values. Each
//! reading of the configuration looks anew, so a reload takes up data that has changed on disk.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use crate::engine::schedule::Zone;
use crate::engine::schedule::zone::Change;
use crate::engine::time::Wall;

/// Changes of the clock are known from the epoch on to the end of this year; from then on the last offset
/// stays. No schedule of today is for later, and a zone stays a few kilobytes.
const LAST_YEAR: i16 = 2199;

/// The zones that one reading of the configuration needs.
#[derive(Debug, Default)]
pub(super) struct Zones {
    database: OnceCell<TimeZoneDatabase>,
    known: RefCell<BTreeMap<String, Found>>,
    local: OnceCell<Found>,
}

/// A zone, and the same for sums with civil times.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) zone: Zone,
    calendar: TimeZone,
}

impl Zones {
    /// The zone of this name, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<Found> {
        if let Some(found) = self.known.borrow().get(name) {
            return Some(found.clone());
        }
        let calendar = self
            .database()
            .get(name)
            .or_else(|_| TimeZoneDatabase::bundled().get(name))
            .ok()?;
        // The spelling of the database, whatever that of the file.
        let proper = calendar.iana_name().unwrap_or(name).to_owned();
        let found = Found::of(&proper, calendar);
        self.known
            .borrow_mut()
            .insert(name.to_owned(), found.clone());
        Some(found)
    }

    /// That of the machine; UTC where it has none.
    pub(super) fn local(&self) -> Found {
        let find = || {
            jiff::tz::reset_system_time_zone_cache();
            let Ok(calendar) = TimeZone::try_system() else {
                return Found::of("UTC", TimeZone::UTC);
            };
            match calendar.iana_name() {
                Some(name) => self
                    .get(name)
                    .unwrap_or_else(|| Found::of(name, calendar.clone())),
                None => Found::of("local", calendar),
            }
        };
        self.local.get_or_init(find).clone()
    }

    /// All names, for a hint at the nearest.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self.database().available();
        names.map(|name| name.as_str().to_owned()).collect()
    }

    fn database(&self) -> &TimeZoneDatabase {
        self.database.get_or_init(TimeZoneDatabase::from_env)
    }
}

impl Found {
    fn of(name: &str, calendar: TimeZone) -> Self {
        let epoch = Timestamp::UNIX_EPOCH;
        let changes = calendar
            .following(epoch)
            .take_while(|change| change.timestamp().to_zoned(TimeZone::UTC).year() <= LAST_YEAR)
            .map(|change| Change {
                at: change.timestamp().as_second(),
                offset: change.offset().seconds(),
            });
        let first = calendar.to_offset(epoch).seconds();
        Self {
            zone: Zone::new(name.into(), first, changes),
            calendar,
        }
    }

    /// The instant at which its clocks show a civil time: the first where they show it twice, and where they
    /// skip it, as much later as they are put forward.
    pub(super) fn instant(&self, shown: DateTime) -> Option<Wall> {
        let at = self.calendar.to_ambiguous_timestamp(shown).compatible();
        Some(Wall(at.ok()?.as_microsecond()))
    }

    /// What its clocks do with a civil time that is not one instant, as it stands before and behind that time in a
    /// sentence; `None` of most.
    pub(super) fn doubt(&self, shown: DateTime) -> Option<(&'static str, &'static str)> {
        match self.calendar.to_ambiguous_timestamp(shown).offset() {
            AmbiguousOffset::Unambiguous { .. } => None,
            AmbiguousOffset::Gap { .. } => Some(("skip", "")),
            AmbiguousOffset::Fold { .. } => Some(("show", " twice")),
        }
    }
}

/// The zone of this name as schedules have it, from the machine's data or the program's own.
#[must_use]
pub fn zone(name: &str) -> Option<Zone> {
    Zones::default().get(name).map(|found| found.zone)
}
