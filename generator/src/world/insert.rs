//! New tweets: plain ones, replies, retweets and quotes, and new users.

use super::{
    UnixMicros, World,
    compose::{Composer, Link},
    dice::Dice,
    known::{KnownTweet, Metrics},
    people::PEOPLE_AT_START,
    rows::{Place, TweetRow, UserRow},
};
use crate::{
    batch::Batch,
    language::{City, LANGUAGES},
};

/// One of so many tweets brings a new user with it.
const NEW_USER_ONE_IN: u32 = 40;
/// One of so many tweets is a long note.
const NOTE_ONE_IN: u32 = 500;
const SOURCES: [&str; 6] = [
    "Twitter for iPhone",
    "Twitter for Android",
    "Twitter Web App",
    "TweetDeck",
    "Twitter for iPad",
    "Buffer",
];
const YEAR: i64 = 31_556_952_000_000;

enum Kind {
    Original,
    Note,
    Retweet,
    Reply,
    Quote,
}

impl World {
    pub(super) fn insert(&mut self, at: UnixMicros, batch: &mut Batch) {
        if self.people.is_empty() {
            for _ in 0..PEOPLE_AT_START {
                self.welcome(at, batch);
            }
        } else if self.dice.one_in(NEW_USER_ONE_IN) {
            self.welcome(at, batch);
        }
        let dice = &mut self.dice;
        let id = self.snowflake.next(at);
        let author_place = self.people.somebody(dice);
        let Some(author) = self.people.get_mut(author_place) else {
            return;
        };
        author.tweets = author.tweets.saturating_add(1);
        let (author_id, followers, own_language) = (author.id, author.followers, author.language);

        let composer = &mut self.composer;
        composer.clear();
        let referenced = self
            .recent
            .pick(dice)
            .filter(|tweet| tweet.author_id != author_id);
        let kind = match (kind(dice), referenced) {
            (Kind::Retweet, Some(tweet)) if tweet.text.is_empty() => Kind::Reply,
            (Kind::Retweet | Kind::Reply | Kind::Quote, None) => Kind::Original,
            (kind, _) => kind,
        };
        // People answer and repeat in the language of the one they answer.
        let language_place = match (&kind, referenced) {
            (Kind::Retweet | Kind::Reply, Some(tweet)) => tweet.language,
            _ => own_language,
        };
        let (Some(language), Some(book)) = (
            LANGUAGES.get(language_place),
            self.phrasebooks.get(language_place),
        ) else {
            return;
        };
        let (mut in_reply_to, mut retweeted, mut quoted) = (None, None, None);
        match (&kind, referenced) {
            (Kind::Retweet, Some(tweet)) => {
                composer.retweet(
                    tweet.author_id,
                    &tweet.username,
                    &tweet.text,
                    &tweet.entities,
                );
                retweeted = Some(tweet.id);
            }
            (Kind::Reply, Some(tweet)) => {
                composer.mention(tweet.author_id, &tweet.username);
                composer.body(dice, language, &book.sentences);
                in_reply_to = Some(tweet.id);
            }
            (Kind::Quote, Some(tweet)) => {
                composer.body(dice, language, &book.sentences);
                composer.link(dice, Link::Tweet(tweet.id));
                quoted = Some(tweet.id);
            }
            (Kind::Note, _) => composer.note(dice, language, &book.sentences),
            _ => {
                composer.body(dice, language, &book.sentences);
                if dice.percent(12)
                    && let Some(friend) = self.people.get(self.people.somebody(dice))
                {
                    composer.mention(friend.id, &friend.username);
                }
            }
        }
        let metrics = if retweeted.is_some() {
            Metrics::default()
        } else {
            first_metrics(dice, followers)
        };
        batch.insert_tweet(&TweetRow {
            id,
            author_id,
            text: &composer.text,
            lang: language.code,
            source: SOURCES
                .get(dice.rank(SOURCES.len()))
                .copied()
                .unwrap_or(SOURCES[0]),
            created_at: at,
            place: dice.percent(8).then(|| place(dice, language.cities)),
            metrics,
            entities: &composer.entities,
            in_reply_to,
            retweeted,
            quoted,
            possibly_sensitive: dice.one_in(80),
        });
        let tweet = KnownTweet {
            id,
            language: language_place,
            retweet: retweeted.is_some(),
            metrics,
        };
        self.known.add(tweet, dice);
        if retweeted.is_none() {
            self.remember(
                id,
                author_place,
                language_place,
                !matches!(kind, Kind::Note),
            );
        }
    }

    /// Keeps the composed tweet for those that will refer to it.
    fn remember(&mut self, id: i64, author_place: usize, language: usize, with_text: bool) {
        let Composer { text, entities, .. } = &self.composer;
        let Some(author) = self.people.get(author_place) else {
            return;
        };
        let slot = self.recent.renew();
        slot.id = id;
        slot.author_id = author.id;
        slot.username.clear();
        slot.username.push_str(&author.username);
        slot.language = language;
        slot.text.clear();
        slot.entities.clear();
        if with_text {
            slot.text.push_str(text);
            slot.entities.extend_from_slice(entities);
        }
    }

    fn welcome(&mut self, at: UnixMicros, batch: &mut Batch) {
        let dice = &mut self.dice;
        let person = self.people.welcome(dice);
        let (Some(language), Some(book)) = (
            LANGUAGES.get(person.language),
            self.phrasebooks.get(person.language),
        ) else {
            return;
        };
        let city = dice.percent(70).then(|| dice.pick(language.cities));
        let age = i64::from(dice.below(15 * 365)) * (YEAR / 365)
            + i64::from(dice.below(86_400)) * 1_000_000;
        batch.insert_user(&UserRow {
            id: person.id,
            username: &person.username,
            name: dice.pick::<Box<str>>(&book.names),
            description: dice.pick::<Box<str>>(&book.descriptions),
            location: city.map(|city| city.name),
            country_code: city.map(|city| city.country_code),
            verified: person.followers > 50_000 || dice.one_in(30),
            followers: person.followers,
            following: person.following,
            tweets: person.tweets,
            created_at: at - age,
            updated_at: at,
        });
    }
}

fn kind(dice: &mut Dice) -> Kind {
    if dice.one_in(NOTE_ONE_IN) {
        return Kind::Note;
    }
    match dice.below(100) {
        0..18 => Kind::Retweet,
        18..38 => Kind::Reply,
        38..45 => Kind::Quote,
        _ => Kind::Original,
    }
}

fn first_metrics(dice: &mut Dice, followers: u32) -> Metrics {
    let mut metrics = Metrics::default();
    if dice.percent(60) {
        let fame = 1 + followers / 20_000;
        let likes = dice.heavy_tail().saturating_mul(fame).min(5_000_000);
        metrics.grow(likes, dice);
    }
    metrics
}

fn place<'a>(dice: &mut Dice, cities: &'a [City]) -> Place<'a> {
    let city = dice.pick(cities);
    // Within about eleven kilometres.
    let mut near = |coordinate: i32| coordinate - 10_000 + dice.below(20_000) as i32;
    Place {
        name: city.name,
        longitude: near(city.longitude),
        latitude: near(city.latitude),
    }
}
