//! How TCP segments of a session are signed: with one password (RFC 2385), or with keys that can be
//! changed while the session is up (RFC 5925).
//!
//! Secrets are never shown: what is printed stands in for them.

use std::fmt;

use super::Keyword;

/// What signs the segments of a session. Linux takes one of the two for an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// `password`: TCP's MD5 signature (RFC 2385).
    Md5(Password),
    /// `tcp_ao`: the TCP authentication option (RFC 5925).
    Ao(TcpAo),
}

impl Signing {
    /// The key of the configuration.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Md5(_) => "password",
            Self::Ao(_) => "tcp_ao",
        }
    }

    /// True if a session that stands can go from the one to the other: RFC 5925 §7.5 has both
    /// sides change keys one after the other, so there is one that is good before and after.
    pub fn rolls_over(before: Option<&Self>, after: Option<&Self>) -> bool {
        match (before, after) {
            (Some(Self::Ao(before)), Some(Self::Ao(after))) => {
                before.keys().iter().any(|key| after.keys().contains(key))
            }
            (before, after) => before == after,
        }
    }
}

/// Keys of one session, at least one, the preferred one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpAo(Vec<AoKey>);

impl TcpAo {
    /// Keys, if there is one and no two have the same number in one direction.
    pub fn new(keys: Vec<AoKey>) -> Option<Self> {
        let apart = keys.iter().enumerate().all(|(at, key)| {
            keys.iter()
                .take(at)
                .all(|other| other.id != key.id && other.recv_id != key.recv_id)
        });
        (apart && !keys.is_empty()).then_some(Self(keys))
    }

    /// The keys, the preferred one first.
    pub fn keys(&self) -> &[AoKey] {
        &self.0
    }

    /// The key that we ask the neighbour to use.
    pub fn preferred(&self) -> Option<&AoKey> {
        self.0.first()
    }
}

/// A key (RFC 5925 §3.1: a master key tuple).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AoKey {
    /// Its number in what we send.
    pub id: u8,
    /// Its number in what the neighbour sends.
    pub recv_id: u8,
    /// The secret.
    pub secret: Password,
    /// How it signs.
    pub algorithm: AoAlgorithm,
}

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AoAlgorithm {
    /// RFC 5926 §3.2.1.
    #[default]
    HmacSha1,
    /// RFC 5926 §3.2.2.
    Aes128Cmac,
    /// 16 octets of HMAC-SHA-256.
    HmacSha256,
    /// 12 octets of it, as BIRD has it.
    HmacSha256Short,
}

impl Keyword for AoAlgorithm {
    const WORDS: &'static [(Self, &'static str)] = &[
        (AoAlgorithm::HmacSha1, "hmac-sha-1-96"),
        (AoAlgorithm::Aes128Cmac, "aes-128-cmac-96"),
        (AoAlgorithm::HmacSha256, "hmac-sha-256-128"),
        (AoAlgorithm::HmacSha256Short, "hmac-sha-256-96"),
    ];
}

/// A secret shared with a neighbour: 1 to [`Password::LENGTH_MAX`] octets, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// What Linux takes as a key, of TCP's MD5 signature and of its authentication option.
    pub const LENGTH_MAX: usize = 80;

    /// What stands in place of every password that is written or shown. It is no password
    /// itself, so that a printed configuration is not taken for a complete one.
    pub const HIDDEN: &'static str = "<hidden>";

    /// A password, if the text can be one: neither empty nor too long, on one line, and not
    /// [`Password::HIDDEN`].
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        let plain = !text.chars().any(char::is_control) && text != Self::HIDDEN;
        (fits && plain).then(|| Self(text.to_owned()))
    }

    /// The octets, for the kernel.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u8, recv_id: u8, secret: &str) -> AoKey {
        AoKey {
            id,
            recv_id,
            secret: Password::new(secret).unwrap(),
            algorithm: AoAlgorithm::default(),
        }
    }

    fn ao(keys: &[AoKey]) -> Signing {
        Signing::Ao(TcpAo::new(keys.to_vec()).unwrap())
    }

    #[test]
    fn two_keys_have_different_numbers_in_both_directions() {
        assert_eq!(TcpAo::new(Vec::new()), None);
        assert!(TcpAo::new(vec![key(1, 2, "a"), key(2, 1, "a")]).is_some());
        for (id, recv_id) in [(1, 9), (9, 2)] {
            assert_eq!(
                TcpAo::new(vec![key(1, 2, "a"), key(id, recv_id, "a")]),
                None
            );
        }
    }

    #[test]
    fn a_session_outlives_a_change_that_leaves_a_key() {
        let (one, two) = (key(1, 1, "a"), key(2, 2, "b"));
        let other_secret = key(1, 1, "c");
        let password = Signing::Md5(Password::new("x").unwrap());
        let both = ao(&[two.clone(), one.clone()]);
        let (only_one, only_two) = (ao(std::slice::from_ref(&one)), ao(&[two]));
        for (before, after, stays) in [
            (Some(&only_one), Some(&both), true),
            (Some(&both), Some(&only_two), true),
            (Some(&only_one), Some(&only_two), false),
            (Some(&only_one), Some(&ao(&[other_secret])), false),
            (None, Some(&only_one), false),
            (Some(&only_one), None, false),
            (Some(&password), Some(&only_one), false),
            (Some(&password), Some(&password), true),
            (None, None, true),
        ] {
            assert_eq!(
                Signing::rolls_over(before, after),
                stays,
                "{before:?} {after:?}"
            );
        }
    }
}
