/// A `date` or `timestamp`, which may lie before or after all others (PostgreSQL manual, 8.5.1.4 Special Values).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounded<T> {
    /// `-infinity`.
    NegativeInfinity,
    /// An ordinary value.
    Finite(T),
    /// `infinity`.
    Infinity,
}

impl<T> Bounded<T> {
    /// One of the infinities.
    #[inline]
    pub(crate) fn infinity(text: &[u8]) -> Option<Self> {
        match text {
            b"infinity" => Some(Self::Infinity),
            b"-infinity" => Some(Self::NegativeInfinity),
            _ => None,
        }
    }
}
