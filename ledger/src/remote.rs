//! What can be wrong with an event server, in words an operator can act on.
//!
//! Owns the names of the faults and their hints. It knows no engine and no protocol, so that the
//! port can speak of them in a build without one. No address, user or password ever stands here.

use std::fmt;

/// Why an event server cannot be used, or did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerFault {
    /// The connection string cannot be used.
    Address,
    /// Nobody answers there.
    Unreachable,
    /// One side speaks TLS, the other does not, or the certificate is not trusted.
    Tls,
    /// The user is unknown, the password wrong, or the rights do not suffice.
    Denied,
    /// The cluster has no leader, or it cannot be found.
    NoLeader,
    /// The server is too old, or is no such server.
    TooOld,
    /// No answer in time.
    Slow,
    /// The connection was lost before the answer.
    Lost,
    /// The server's limit for one append is smaller than what was appended.
    TooBig,
    /// An answer that cannot be right.
    Answer,
}

impl ServerFault {
    /// Every fault.
    pub const ALL: [Self; 10] = [
        Self::Address,
        Self::Unreachable,
        Self::Tls,
        Self::Denied,
        Self::NoLeader,
        Self::TooOld,
        Self::Slow,
        Self::Lost,
        Self::TooBig,
        Self::Answer,
    ];

    /// Whether waiting and trying again can help without anybody doing anything.
    pub const fn passes(self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::NoLeader | Self::Slow | Self::Lost
        )
    }

    /// What an operator can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Address => "correct the connection string; nothing was sent",
            Self::Unreachable => {
                "check host and port, the network, and whether the server runs; appends go on by themselves when it is back"
            }
            Self::Tls => {
                "make `tls=` agree with the server, name the authority that signed its certificate with `tlsCaFile=`, and with `userCertFile=` and `userKeyFile=` what it wants to see of us"
            }
            Self::Denied => {
                "check the credentials; the user needs to append to and read its streams and to read `$all`"
            }
            Self::NoLeader => {
                "a cluster needs most of its nodes: start the missing ones; appends go on by themselves"
            }
            Self::TooOld => {
                "use EventStoreDB 22.10 or later, or KurrentDB; make sure the port is the server's HTTP port"
            }
            Self::Slow => {
                "look at the server's load and disk; what was asked may have been done and is found out by asking again"
            }
            Self::Lost => "what was asked may have been done and is found out by asking again",
            Self::TooBig => "raise the server's `MaxAppendSize` to 16 MiB",
            Self::Answer => {
                "the server's answer cannot be right: look at its log before anything else"
            }
        }
    }
}

impl fmt::Display for ServerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "the connection string cannot be used",
            Self::Unreachable => "nobody answers",
            Self::Tls => "no secure connection",
            Self::Denied => "access denied",
            Self::NoLeader => "no leader",
            Self::TooOld => "too old or not an event server",
            Self::Slow => "no answer in time",
            Self::Lost => "the connection was lost",
            Self::TooBig => "the append is over the server's limit",
            Self::Answer => "an answer that cannot be right",
        })
    }
}

/// How a stream was set so that it loses events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamHazard {
    /// `$maxCount`: only so many last events are kept.
    MaxCount,
    /// `$maxAge`: events are dropped when they are old.
    MaxAge,
    /// `$tb`: events before a revision are dropped; a deleted stream looks like this.
    TruncateBefore,
    /// The stream was deleted for good.
    Tombstoned,
}

impl StreamHazard {
    /// What an operator can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::MaxCount | Self::MaxAge => {
                "remove the setting from the stream's metadata before the server scavenges, then start again; find out who set it"
            }
            Self::TruncateBefore => {
                "the stream was deleted or cut: remove `$tb` from its metadata before the server scavenges, then start again; find out who did it"
            }
            Self::Tombstoned => {
                "its events are lost on this server: restore the cluster from a copy, then start again; find out who did it"
            }
        }
    }
}

impl fmt::Display for StreamHazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MaxCount => "is set to keep only its last events (`$maxCount`)",
            Self::MaxAge => "is set to drop old events (`$maxAge`)",
            Self::TruncateBefore => "was deleted or cut (`$tb`)",
            Self::Tombstoned => "was deleted for good",
        })
    }
}
