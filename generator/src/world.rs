//! The invented world: who writes, what is written, what changes. Pure: no IO; but for an unseeded clock everything
//! follows from the seed and from what the table held at the start.

mod clock;
mod compose;
mod dice;
mod entities;
mod insert;
mod known;
mod people;
mod rhythm;
mod rows;
mod snowflake;
mod update;

#[cfg(test)]
mod tests;

pub use clock::UnixMicros;
pub use dice::Dice;
pub use entities::{Entity, EntityKind, write_json};
pub use known::{KnownTweet, Metrics, RecentTweet, TWEETS_KNOWN, TWEETS_RECENT};
pub use people::{PEOPLE_KEPT, People, Person};
pub use rhythm::activity_percent;
pub use rows::{TweetEdit, TweetRow, UserCounters, UserProfile, UserRow};

use self::{
    clock::Clock,
    compose::Composer,
    known::{KnownTweets, RecentTweets},
    snowflake::{Snowflake, WORKERS},
};
use crate::{
    batch::Batch,
    language::Phrasebook,
    mix::{Mix, Operation},
};

/// What the tables hold when a run starts; all empty for empty tables. Equal contents in equal order make a seeded run
/// go on in the same way.
#[derive(Debug, Default)]
pub struct Found {
    /// 0 for none.
    pub greatest_tweet_id: i64,
    /// The number that the worker's next user gets; numbers start at 1.
    pub next_user_number: u32,
    /// The most popular first.
    pub people: Vec<Person>,
    pub known: Vec<KnownTweet>,
    /// The oldest first.
    pub recent: Vec<RecentTweet>,
}

/// The state that changes grow from.
#[derive(Debug)]
pub struct World {
    mix: Mix,
    dice: Dice,
    clock: Clock,
    snowflake: Snowflake,
    people: People,
    known: KnownTweets,
    recent: RecentTweets,
    phrasebooks: Vec<Phrasebook>,
    composer: Composer,
}

impl World {
    /// A world in real time, or in time that follows from the seed. Every seed has its own worker number in ids, among
    /// the 1024 there are.
    pub fn new(seed: u64, real_time: bool, mix: Mix, found: Found) -> Self {
        let worker = Self::worker(seed);
        let after = found.greatest_tweet_id;
        let clock = match after {
            _ if real_time => Clock::Real,
            0 => Clock::seeded(seed, 0),
            _ => Clock::seeded(seed, Snowflake::unix_micros(after) + 1_000),
        };
        let phrasebooks = Phrasebook::all(&mut Dice::new(seed));
        // A second run must not tell the first one's story again.
        let dice = Dice::new(seed ^ (after as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self {
            mix,
            dice,
            clock,
            snowflake: Snowflake::new(worker, after),
            people: People::new(worker, found.next_user_number.max(1), found.people),
            known: KnownTweets::new(found.known),
            recent: RecentTweets::new(found.recent),
            phrasebooks,
            composer: Composer::default(),
        }
    }

    /// The worker number of a seed, 0 to 1023.
    pub fn worker(seed: u64) -> u16 {
        (Dice::new(seed).next() % WORKERS) as u16
    }

    /// How many tweets updates and deletes can choose from.
    pub const fn known_tweets(&self) -> usize {
        self.known.len()
    }

    /// Makes tweets of the table known, for a run that deletes more than it knows.
    pub fn learn(&mut self, tweets: Vec<KnownTweet>) {
        self.known.extend(tweets);
    }

    /// Adds the next change to the batch. False, and nothing done, where no tweet is known that could be changed and
    /// the mix does not insert any.
    pub fn change(&mut self, batch: &mut Batch) -> bool {
        let operation = match self.mix.next(&mut self.dice) {
            Operation::Update | Operation::Delete if self.known.is_empty() => {
                if self.mix.inserts() {
                    Operation::Insert
                } else {
                    return false;
                }
            }
            operation @ (Operation::Insert | Operation::Update | Operation::Delete) => operation,
        };
        let at = self.clock.tick(&mut self.dice);
        match operation {
            Operation::Insert => self.insert(at, batch),
            Operation::Update => self.update(at, batch),
            Operation::Delete => {
                if let Some(tweet) = self.known.forget_any(&mut self.dice) {
                    batch.delete_tweet(tweet.id);
                }
            }
        }
        true
    }
}
