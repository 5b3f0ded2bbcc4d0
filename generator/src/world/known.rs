//! The tweets of the table that updates and deletes choose from: a bounded number of them.
//!
//! Counters are kept here, so that an update writes absolute values and can be written twice.

use super::{dice::Dice, entities::Entity};

/// How many tweets later updates and deletes choose from, 64 bytes each.
pub const TWEETS_KNOWN: usize = 20_000;
/// How many of the newest can be retweeted, quoted and answered; with their texts, about 400 bytes each.
pub const TWEETS_RECENT: usize = 512;
/// Counters are int4 columns.
const MOST: u32 = 2_000_000_000;

/// The counters of a tweet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metrics {
    pub likes: u32,
    pub retweets: u32,
    pub replies: u32,
    pub quotes: u32,
    pub impressions: u64,
}

impl Metrics {
    /// More of everything that so many new likes bring with them.
    pub fn grow(&mut self, likes: u32, dice: &mut Dice) {
        let add = |counter: &mut u32, more: u32| *counter = counter.saturating_add(more).min(MOST);
        add(&mut self.likes, likes);
        add(&mut self.retweets, likes / 6 + u32::from(dice.one_in(12)));
        add(&mut self.replies, likes / 9 + u32::from(dice.one_in(10)));
        add(&mut self.quotes, likes / 40 + u32::from(dice.one_in(60)));
        self.impressions +=
            u64::from(likes) * u64::from(20 + dice.below(60)) + u64::from(dice.below(50));
    }
}

/// A tweet that is in the table, as far as an update needs to know. The counters are kept here so that an update writes
/// absolute values: written a second time after a lost connection, it changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownTweet {
    pub id: i64,
    /// Place in [`crate::language::LANGUAGES`].
    pub language: usize,
    /// A retweet repeats somebody else's words: it is not edited.
    pub retweet: bool,
    pub metrics: Metrics,
}

/// A bounded choice of the tweets in the table.
#[derive(Debug, Default)]
pub struct KnownTweets(Vec<KnownTweet>);

impl KnownTweets {
    pub const fn new(tweets: Vec<KnownTweet>) -> Self {
        Self(tweets)
    }

    pub const fn len(&self) -> usize {
        self.0.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn extend(&mut self, tweets: Vec<KnownTweet>) {
        self.0.extend(tweets);
    }

    /// Takes in a new one; where no room is left it replaces any, so that newer ones are known more often.
    #[expect(clippy::indexing_slicing, reason = "the dice throw below the length")]
    pub fn add(&mut self, tweet: KnownTweet, dice: &mut Dice) {
        if self.0.len() < TWEETS_KNOWN {
            self.0.push(tweet);
        } else {
            let place = dice.index(self.0.len());
            self.0[place] = tweet;
        }
    }

    /// One of them, the popular more often.
    pub fn popular(&mut self, dice: &mut Dice) -> Option<&mut KnownTweet> {
        let count = self.0.len();
        let best = (0..3)
            .map(|_| dice.index(count))
            .max_by_key(|place| self.0.get(*place).map(|t| t.metrics.likes))?;
        self.0.get_mut(best)
    }

    /// Any of them.
    pub fn any(&self, dice: &mut Dice) -> Option<&KnownTweet> {
        self.0.get(dice.index(self.0.len()))
    }

    /// Any of them, known no longer.
    pub fn forget_any(&mut self, dice: &mut Dice) -> Option<KnownTweet> {
        if self.0.is_empty() {
            return None;
        }
        let place = dice.index(self.0.len());
        Some(self.0.swap_remove(place))
    }
}

/// A tweet that new ones refer to.
#[derive(Debug, Default, Clone)]
pub struct RecentTweet {
    pub id: i64,
    pub author_id: i64,
    pub username: String,
    /// Place in [`crate::language::LANGUAGES`].
    pub language: usize,
    /// Empty where it cannot be retweeted: a retweet itself, a note, or a tweet of an earlier run.
    pub text: String,
    pub entities: Vec<Entity>,
}

/// The newest tweets, in a ring whose places are used again.
#[derive(Debug, Default)]
pub struct RecentTweets {
    ring: Vec<RecentTweet>,
    next: usize,
}

impl RecentTweets {
    pub fn new(ring: Vec<RecentTweet>) -> Self {
        Self {
            next: ring.len() % TWEETS_RECENT,
            ring,
        }
    }

    /// The place of the oldest, to be filled with a new one.
    #[expect(clippy::indexing_slicing, reason = "the ring has that many places")]
    pub fn renew(&mut self) -> &mut RecentTweet {
        if self.ring.len() < TWEETS_RECENT && self.next == self.ring.len() {
            self.ring.push(RecentTweet::default());
        }
        let place = self.next;
        self.next = (place + 1) % TWEETS_RECENT;
        &mut self.ring[place]
    }

    /// One of them, the newer more often.
    pub fn pick(&self, dice: &mut Dice) -> Option<&RecentTweet> {
        let count = self.ring.len();
        let age = dice.rank(count);
        let place = (self.next + count).checked_sub(1 + age)? % count;
        self.ring.get(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_newest() {
        let mut recent = RecentTweets::default();
        let mut dice = Dice::new(1);
        assert!(recent.pick(&mut dice).is_none());
        for id in 0..2_000 {
            recent.renew().id = id;
        }
        for _ in 0..10_000 {
            let id = recent.pick(&mut dice).map_or(-1, |tweet| tweet.id);
            assert!((1_488..2_000).contains(&id), "{id}");
        }
    }

    #[test]
    fn counters_stay_within_their_columns() {
        let mut dice = Dice::new(1);
        let mut metrics = Metrics::default();
        for _ in 0..10 {
            metrics.grow(u32::MAX / 2, &mut dice);
        }
        assert_eq!(metrics.likes, MOST);
    }

    #[test]
    fn what_is_forgotten_is_not_chosen_again() {
        let mut dice = Dice::new(1);
        let tweet = |id| KnownTweet {
            id,
            language: 0,
            retweet: false,
            metrics: Metrics::default(),
        };
        let mut known = KnownTweets::new((0..10).map(tweet).collect());
        let mut forgotten: Vec<i64> = std::iter::from_fn(|| known.forget_any(&mut dice))
            .map(|t| t.id)
            .collect();
        forgotten.sort_unstable();
        assert_eq!(forgotten, (0..10).collect::<Vec<_>>());
        assert!(known.popular(&mut dice).is_none() && known.any(&mut dice).is_none());
    }
}
