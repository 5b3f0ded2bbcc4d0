use rand::{Rng as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};

/// Random numbers in whole numbers only: no floating point, so that a seed gives the same rows on every machine.
#[derive(Debug, Clone)]
pub struct Dice(Xoshiro256PlusPlus);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// For what wants a generator of the crate `rand`.
    pub const fn rng(&mut self) -> &mut Xoshiro256PlusPlus {
        &mut self.0
    }

    pub fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in `0..bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        // The bias of multiply-shift is at most bound / 2^32.
        (((self.next() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// Uniform in `0..bound`, for places in slices.
    pub fn index(&mut self, bound: usize) -> usize {
        self.below(u32::try_from(bound).unwrap_or(u32::MAX)) as usize
    }

    pub fn percent(&mut self, share: u32) -> bool {
        self.below(100) < share
    }

    pub fn one_in(&mut self, count: u32) -> bool {
        self.below(count) == 0
    }

    /// One of them, each as likely.
    ///
    /// # Panics
    /// On an empty slice: it is only given our own lists.
    #[expect(clippy::indexing_slicing, reason = "the dice throw below the length")]
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.index(from.len())]
    }

    /// A rank in `0..count` after Zipf's law with exponent 1: each doubling of the rank is as likely as the last.
    pub fn rank(&mut self, count: usize) -> usize {
        let octaves = usize::BITS - count.leading_zeros();
        loop {
            let octave = self.below(octaves);
            let rank = (1_usize << octave) + self.index(1 << octave) - 1;
            if rank < count {
                return rank;
            }
            if count == 0 {
                return 0;
            }
        }
    }

    /// A heavy tail (Pareto with exponent 1): at least 2^k with probability 2^-k, cut off at 2^20.
    pub fn heavy_tail(&mut self) -> u32 {
        let octave = self.next().leading_zeros().min(19);
        (1 << octave) - 1 + self.below(1 << octave)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold() {
        let mut dice = Dice::new(1);
        for bound in [0, 1, 2, 3, 7, 100, u32::MAX] {
            for _ in 0..1000 {
                assert!(dice.below(bound) < bound.max(1));
            }
        }
        for count in [0, 1, 2, 3, 1000, 50_000] {
            for _ in 0..1000 {
                assert!(dice.rank(count) < count.max(1));
            }
        }
    }

    #[test]
    fn ranks_and_tails_are_long() {
        let mut dice = Dice::new(2);
        let top = (0..100_000).filter(|_| dice.rank(10_000) < 100).count();
        assert!(
            (40_000..60_000).contains(&top),
            "the first hundredth writes about half: {top}"
        );
        let tails: Vec<u32> = (0..100_000).map(|_| dice.heavy_tail()).collect();
        let zeros = tails.iter().filter(|likes| **likes == 0).count();
        assert!((45_000..55_000).contains(&zeros), "{zeros}");
        assert!(tails.iter().any(|likes| *likes > 10_000));
    }
}
