//! Who is at the other end of the socket, as the kernel says. In a user namespace of its own (`PrivateUsers=` of
//! a unit) the daemon is told the same number of all users whom that does not know; they are nobody then, rather
//! than the user who has that number.

use std::fs;

use tokio::net::UnixStream;

/// Whom the kernel does not name.
const NOBODY: u32 = u32::MAX;

/// All numbers that users can have: in the machine's own namespace each means somebody.
const ALL: u64 = u32::MAX as u64;

/// The numbers that stand for all users and groups that are not known here, where there are such.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peers {
    user: Option<u32>,
    group: Option<u32>,
}

impl Peers {
    /// As this process is told.
    pub(super) fn here() -> Self {
        let stand_in = |map, number| {
            let read = |path| fs::read_to_string(path).ok();
            hidden(&read(map)?, &read(number)?)
        };
        Self {
            user: stand_in("/proc/self/uid_map", "/proc/sys/kernel/overflowuid"),
            group: stand_in("/proc/self/gid_map", "/proc/sys/kernel/overflowgid"),
        }
    }

    /// Whether some users look alike.
    pub(super) const fn look_alike(self) -> bool {
        self.user.is_some()
    }

    /// The user and its main group; the greatest number, which nobody has, where that is not known.
    pub(super) fn of(self, stream: &UnixStream) -> (u32, u32) {
        let said = stream.peer_cred();
        said.map_or((NOBODY, NOBODY), |peer| self.known(peer.uid(), peer.gid()))
    }

    fn known(self, user: u32, group: u32) -> (u32, u32) {
        let known = |number, hidden| {
            if Some(number) == hidden {
                NOBODY
            } else {
                number
            }
        };
        (known(user, self.user), known(group, self.group))
    }
}

/// The number that stands for whoever is not in the map; `None` where everybody is.
fn hidden(map: &str, number: &str) -> Option<u32> {
    let count = |line: &str| line.split_whitespace().nth(2)?.parse::<u64>().ok();
    let mapped: u64 = map.lines().filter_map(count).sum();
    if mapped >= ALL {
        return None;
    }
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_who_look_alike_are_nobody() {
        let whole = "         0          0 4294967295\n";
        let private = "         0          0          1\n       997        997          1\n";
        let cases = [(whole, None), (private, Some(65_534)), ("", Some(65_534))];
        for (map, expected) in cases {
            assert_eq!(hidden(map, "65534\n"), expected, "{map}");
        }
        let alike = Peers {
            user: hidden(private, "65534"),
            group: hidden(private, "65534"),
        };
        assert!(alike.look_alike());
        let cases = [
            ((0, 0), (0, 0)),
            ((997, 997), (997, 997)),
            ((65_534, 997), (NOBODY, 997)),
            ((997, 65_534), (997, NOBODY)),
        ];
        for ((user, group), expected) in cases {
            assert_eq!(alike.known(user, group), expected);
        }
        // In the machine's own namespace that number is a user like any other.
        let apart = Peers::default();
        assert!(!apart.look_alike());
        assert_eq!(apart.known(65_534, 65_534), (65_534, 65_534));
    }
}
