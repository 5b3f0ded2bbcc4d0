/// A major version of PostgreSQL that a test starts because the test is about it.
///
/// Everything else starts what `TRIBUTARY_POSTGRES_VERSION` says, or what is installed here without it: that variable is
/// how a run plays the same tests on another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PostgresVersion {
    V14,
    V15,
    V16,
    V17,
    V18,
}

impl PostgresVersion {
    /// The number, as `tests/servers/postgres.sh` takes it.
    pub const fn major(self) -> u32 {
        match self {
            Self::V14 => 14,
            Self::V15 => 15,
            Self::V16 => 16,
            Self::V17 => 17,
            Self::V18 => 18,
        }
    }
}
