//! Those who write: the popular more often, after Zipf's law.
//!
//! Ids of two workers never meet.

use std::fmt::Write as _;

use super::dice::Dice;
use crate::language::LANGUAGES;

/// How many people a table begins with.
pub const PEOPLE_AT_START: usize = 1_000;
/// How many are kept in memory, some 100 bytes each; the first of them write most.
pub const PEOPLE_KEPT: usize = 50_000;

/// Somebody who writes tweets, as far as later rows need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: i64,
    pub username: Box<str>,
    /// Place in [`LANGUAGES`].
    pub language: usize,
    pub followers: u32,
    pub following: u32,
    pub tweets: u32,
}

/// Those who write, the most popular first: a rank after Zipf's law picks the next author.
#[derive(Debug)]
pub struct People {
    kept: Vec<Person>,
    worker: u16,
    next_number: u32,
}

impl People {
    /// Goes on with those that the table holds. The ids of new ones are `worker << 32 | number`, so that generators
    /// with different workers never meet.
    pub fn new(worker: u16, next_number: u32, kept: Vec<Person>) -> Self {
        Self {
            kept,
            worker,
            next_number,
        }
    }

    /// First and last id that a worker may give to users.
    pub const fn id_range(worker: u16) -> (i64, i64) {
        let first = (worker as i64 + 1) << 32;
        (first, first + u32::MAX as i64)
    }

    #[cfg(test)]
    pub const fn len(&self) -> usize {
        self.kept.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The place of somebody, the popular more often.
    pub fn somebody(&self, dice: &mut Dice) -> usize {
        dice.rank(self.kept.len())
    }

    pub fn get(&self, place: usize) -> Option<&Person> {
        self.kept.get(place)
    }

    pub fn get_mut(&mut self, place: usize) -> Option<&mut Person> {
        self.kept.get_mut(place)
    }

    /// Somebody new, kept for later; where no room is left he takes the place of one of the less popular half.
    #[expect(clippy::indexing_slicing, reason = "the dice throw below the length")]
    pub fn welcome(&mut self, dice: &mut Dice) -> &Person {
        let number = self.next_number;
        self.next_number = self.next_number.saturating_add(1);
        let place = self.kept.len();
        let reach = 1 + u32::try_from(2_000_000 / (place + 2)).unwrap_or(0);
        let person = Person {
            id: Self::id_range(self.worker).0 + i64::from(number),
            username: username(dice, self.worker, number),
            language: language(dice),
            followers: dice.below(reach) + dice.heavy_tail() % 5_000,
            following: 10 + dice.below(900),
            tweets: dice.below(4_000),
        };
        let place = if place < PEOPLE_KEPT {
            self.kept.push(person);
            place
        } else {
            let place = place / 2 + dice.index(place - place / 2);
            self.kept[place] = person;
            place
        };
        &self.kept[place]
    }
}

fn language(dice: &mut Dice) -> usize {
    let mut share = dice.below(100);
    for (place, language) in LANGUAGES.iter().enumerate() {
        if share < language.weight {
            return place;
        }
        share -= language.weight;
    }
    0
}

/// Letters of a given name, then the number and the worker in base 36: unique as the id is, letters, digits and
/// underscore only.
fn username(dice: &mut Dice, worker: u16, number: u32) -> Box<str> {
    use fake::{Fake as _, faker::name::raw::FirstName, locales::EN};
    let first: String = FirstName(EN).fake_with_rng(dice.rng());
    let mut username: String = first
        .chars()
        .filter(char::is_ascii_alphabetic)
        .take(8)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    let _ = write!(
        username,
        "_{}{}",
        Base36(number, 1),
        Base36(u32::from(worker), 2)
    );
    username.into_boxed_str()
}

/// A number in base 36, with at least so many digits.
struct Base36(u32, usize);

impl std::fmt::Display for Base36 {
    #[expect(
        clippy::indexing_slicing,
        reason = "the rest of a division by 36, and what was used of seven"
    )]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut digits = [b'0'; 7];
        let mut rest = self.0;
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
            rest /= 36;
            used += 1;
            if rest == 0 && used >= self.1 {
                break;
            }
        }
        f.write_str(str::from_utf8(&digits[7 - used..]).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_and_names_are_never_given_twice() {
        let mut dice = Dice::new(3);
        let mut seen = HashSet::new();
        for worker in [0, 36, 1023] {
            let mut people = People::new(worker, 1, Vec::new());
            for _ in 0..5_000 {
                let person = people.welcome(&mut dice).clone();
                let (first, last) = People::id_range(worker);
                assert!((first..=last).contains(&person.id));
                assert!(person.username.len() <= 20, "{}", person.username);
                assert!(seen.insert(person.username));
            }
        }
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut dice = Dice::new(3);
        let mut people = People::new(0, 1, Vec::new());
        for _ in 0..PEOPLE_KEPT + 100 {
            people.welcome(&mut dice);
        }
        assert_eq!(people.len(), PEOPLE_KEPT);
    }
}
