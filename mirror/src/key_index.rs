//! Where the row of each key is.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hasher as _},
};

/// A row of `current`: which of its files, by a number of this process, and which row of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spot {
    pub(crate) file: u32,
    pub(crate) row: u32,
}

impl Spot {
    pub(crate) fn number(self) -> u64 {
        u64::from(self.file) << 32 | u64::from(self.row)
    }

    pub(crate) const fn from_number(number: u64) -> Self {
        Self {
            file: (number >> 32) as u32,
            row: (number & 0xffff_ffff) as u32,
        }
    }
}

/// Keys of up to 15 bytes as they are; of longer ones 128 bits of a hash, as the replay of the log keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Packed([u8; 16]);

impl Packed {
    fn of(key: &[u8]) -> Self {
        let mut bytes = [0; 16];
        if key.len() < bytes.len() {
            for (byte, of) in bytes.iter_mut().skip(1).zip(key) {
                *byte = *of;
            }
            // The length keeps a key apart from one with more zeros; no hash has it in its first byte.
            if let (Some(first), Ok(length)) = (bytes.first_mut(), u8::try_from(key.len())) {
                *first = length;
            }
        } else {
            let half = |salt: u8| {
                let mut hasher = DefaultHasher::new();
                hasher.write_u8(salt);
                hasher.write(key);
                hasher.finish().to_be_bytes()
            };
            for (byte, of) in bytes.iter_mut().zip([half(0), half(1)].concat()) {
                *byte = of;
            }
            if let Some(first) = bytes.first_mut() {
                *first |= 0x80;
            }
        }
        Self(bytes)
    }
}

/// All keys of a table in memory.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    spots: HashMap<Packed, Spot>,
}

/// What a key takes at most, with the free room of a map that has just grown.
pub(crate) const BYTES_PER_KEY: usize = 58;

impl KeyIndex {
    pub(crate) fn with_capacity(keys: usize) -> Self {
        Self {
            spots: HashMap::with_capacity(keys),
        }
    }

    /// Answers where the key's row was before.
    pub(crate) fn insert(&mut self, key: &[u8], spot: Spot) -> Option<Spot> {
        self.spots.insert(Packed::of(key), spot)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<Spot> {
        self.spots.get(&Packed::of(key)).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.spots.len()
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Spot> {
        self.spots.remove(&Packed::of(key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_stay_apart() {
        let mut keys: Vec<Vec<u8>> = vec![vec![], vec![0], vec![0, 0], vec![1], vec![1, 0]];
        for length in [14, 15, 16, 17, 64] {
            for last in 0..4 {
                let mut key = vec![0; length];
                key[length - 1] = last;
                keys.push(key);
            }
        }
        let packed: HashSet<Packed> = keys.iter().map(|key| Packed::of(key)).collect();
        assert_eq!(packed.len(), keys.len());
    }

    #[test]
    fn a_spot_is_a_number() {
        for spot in [(0, 0), (1, 2), (u32::MAX, u32::MAX), (0, u32::MAX)] {
            let (file, row) = spot;
            let spot = Spot { file, row };
            assert_eq!(Spot::from_number(spot.number()), spot);
        }
    }

    #[test]
    fn a_million_keys_take_less_than_their_share() {
        let mut index = KeyIndex::with_capacity(1_000_000);
        for number in 0..1_000_000_u32 {
            let spot = Spot {
                file: 1,
                row: number,
            };
            assert_eq!(index.insert(&number.to_le_bytes(), spot), None);
        }
        let bytes = index.spots.capacity() * (size_of::<(Packed, Spot)>() + 1);
        assert!(bytes <= 1_000_000 * BYTES_PER_KEY, "{bytes}");
        assert_eq!(
            index.get(&7_u32.to_le_bytes()).map(|spot| spot.row),
            Some(7)
        );
        assert!(index.remove(&7_u32.to_le_bytes()).is_some());
        assert_eq!(index.get(&7_u32.to_le_bytes()), None);
    }
}
