//! Who may do what: each route needs a role, and each caller has one, by the user and the groups that the
//! kernel says it is, or by the token. Knows no route and no request.

use std::convert::Infallible;
use std::ffi::CString;

use axum::extract::{FromRequestParts, Request};
use axum::http::Extensions;
use axum::http::request::Parts;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use crate::engine::By;

/// What somebody may do. Who has a role may also do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Read,
    /// Ask for runs of defined jobs.
    Submit,
    /// Everything.
    Control,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Submit, Self::Control];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Control => "control",
        }
    }
}

/// A name in the settings that means nobody.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` in `api.roles` is nobody on this machine\nhint: write `user:NAME`, `group:NAME`, a number in \
     place of the name, `NAME` for a user, or `*` for whoever can connect"
)]
pub struct Nobody(String);

/// Whom a role is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    User(u32),
    Group(u32),
    Everybody,
}

/// Who has which role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    given: Vec<(Whom, Role)>,
}

impl Roles {
    /// The roles that the settings give. Where they give none, whoever can connect may do everything: then
    /// the socket's own mode says who can. Root and the daemon's own user always may.
    ///
    /// # Errors
    /// A name that nobody has.
    pub fn new(given: [&[String]; 3]) -> Result<Self, Nobody> {
        let mut roles = Self { given: Vec::new() };
        for (role, names) in Role::ALL.into_iter().zip(given) {
            for name in names {
                let whom = whom(name).ok_or_else(|| Nobody(name.clone()))?;
                roles.given.push((whom, role));
            }
        }
        if roles.is_open() {
            roles.given.push((Whom::Everybody, Role::Control));
        } else {
            let own = [0, Uid::effective().as_raw()];
            roles
                .given
                .extend(own.map(|uid| (Whom::User(uid), Role::Control)));
        }
        Ok(roles)
    }

    const fn is_open(&self) -> bool {
        self.given.is_empty()
    }

    /// Whether somebody has a role who is not in the socket's group.
    pub(super) fn are_given(&self) -> bool {
        !self.given.contains(&(Whom::Everybody, Role::Control))
    }

    /// The role of a user with its main group, if it has one. May ask the system for the user's groups.
    pub(super) fn of(&self, uid: u32, gid: u32) -> Option<Role> {
        let by_group = self
            .given
            .iter()
            .any(|(whom, _)| matches!(whom, Whom::Group(_)));
        let groups = if by_group {
            groups(uid, gid)
        } else {
            Vec::new()
        };
        let has = |whom: &Whom| match whom {
            Whom::User(user) => *user == uid,
            Whom::Group(group) => groups.contains(group),
            Whom::Everybody => true,
        };
        let roles = self.given.iter().filter(|(whom, _)| has(whom));
        roles.map(|(_, role)| *role).max()
    }
}

fn whom(text: &str) -> Option<Whom> {
    if text == "*" {
        return Some(Whom::Everybody);
    }
    if let Some(name) = text.strip_prefix("group:") {
        let found = || {
            Group::from_name(name)
                .ok()
                .flatten()
                .map(|group| group.gid.as_raw())
        };
        return name.parse().ok().or_else(found).map(Whom::Group);
    }
    let name = text.strip_prefix("user:").unwrap_or(text);
    let found = || {
        User::from_name(name)
            .ok()
            .flatten()
            .map(|user| user.uid.as_raw())
    };
    name.parse().ok().or_else(found).map(Whom::User)
}

/// All groups of a user.
fn groups(uid: u32, gid: u32) -> Vec<u32> {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let name = user.and_then(|user| CString::new(user.name).ok());
    let all = name.and_then(|name| getgrouplist(&name, Gid::from_raw(gid)).ok());
    let mut groups: Vec<u32> = all.into_iter().flatten().map(Gid::as_raw).collect();
    groups.push(gid);
    groups
}

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) role: Option<Role>,
    pub(super) by: By,
}

/// Who is asking, for whoever has to put that on record.
pub(super) struct Asker(pub(super) By);

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Caller::within(&parts.extensions).by))
    }
}

impl Caller {
    /// Who asks; nobody, who may do nothing, where the connection does not say.
    pub(super) fn of(request: &Request) -> Self {
        Self::within(request.extensions())
    }

    fn within(extensions: &Extensions) -> Self {
        let nobody = Self {
            role: None,
            by: By::User(u32::MAX),
        };
        extensions.get().cloned().unwrap_or(nobody)
    }

    /// Whether it has this role.
    pub(super) fn may(&self, needed: Role) -> bool {
        self.role.is_some_and(|role| role >= needed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(given: [&[&str]; 3]) -> Roles {
        let given = given.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
        let given = [&*given[0], &*given[1], &*given[2]];
        Roles::new(given).unwrap()
    }

    #[test]
    fn who_has_several_roles_has_the_greatest() {
        let some = roles([&["group:4001", "user:4002"], &["4002"], &["user:4003"]]);
        let cases = [
            ((4001, 4001), Some(Role::Read)),
            ((4002, 9), Some(Role::Submit)),
            ((4003, 4001), Some(Role::Control)),
            ((0, 0), Some(Role::Control)),
            ((Uid::effective().as_raw(), 1), Some(Role::Control)),
            ((4004, 9), None),
        ];
        for ((uid, gid), expected) in cases {
            assert_eq!(some.of(uid, gid), expected, "{uid}:{gid}");
        }
        let all = roles([&["*"], &[], &["root"]]);
        assert_eq!(all.of(4004, 9), Some(Role::Read));
        // Where nobody is given anything, the socket alone says who may come in.
        assert_eq!(roles([&[], &[], &[]]).of(4004, 9), Some(Role::Control));
    }

    #[test]
    fn nobody_is_named() {
        let none: &[String] = &[];
        let wrong = ["group:no-such-group".to_owned()];
        let error = Roles::new([&wrong, none, none]).unwrap_err().to_string();
        assert!(
            error.contains("`group:no-such-group`") && error.contains("hint:"),
            "{error}"
        );
    }
}
