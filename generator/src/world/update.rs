use super::{
    UnixMicros, World,
    rows::{TweetEdit, UserCounters, UserProfile},
};
use crate::{batch::Batch, language::LANGUAGES};

impl World {
    /// A tweet gains likes (70 of 100 updates) or is edited (15), or somebody changes (15).
    pub(super) fn update(&mut self, at: UnixMicros, batch: &mut Batch) {
        match self.dice.below(100) {
            0..70 => self.like(batch),
            70..85 => self.edit(at, batch),
            _ => self.change_user(at, batch),
        }
    }

    fn like(&mut self, batch: &mut Batch) {
        let Some(tweet) = self.known.popular(&mut self.dice) else {
            return;
        };
        let likes = 1 + self.dice.heavy_tail();
        tweet.metrics.grow(likes, &mut self.dice);
        batch.update_metrics(tweet.id, &tweet.metrics);
    }

    fn edit(&mut self, at: UnixMicros, batch: &mut Batch) {
        let Some(tweet) = self
            .known
            .any(&mut self.dice)
            .filter(|tweet| !tweet.retweet)
        else {
            return self.like(batch);
        };
        let (Some(language), Some(book)) = (
            LANGUAGES.get(tweet.language),
            self.phrasebooks.get(tweet.language),
        ) else {
            return;
        };
        self.composer.clear();
        self.composer
            .body(&mut self.dice, language, &book.sentences);
        batch.edit_tweet(&TweetEdit {
            id: tweet.id,
            text: &self.composer.text,
            entities: &self.composer.entities,
            edited_at: at,
        });
    }

    fn change_user(&mut self, at: UnixMicros, batch: &mut Batch) {
        let dice = &mut self.dice;
        let place = self.people.somebody(dice);
        let Some(person) = self.people.get_mut(place) else {
            return self.like(batch);
        };
        if dice.percent(65) {
            person.followers = person
                .followers
                .saturating_add(1 + dice.heavy_tail())
                .min(1_000_000_000);
            person.following = person
                .following
                .saturating_add(dice.below(3))
                .min(1_000_000);
            batch.update_user_counters(&UserCounters {
                id: person.id,
                followers: person.followers,
                following: person.following,
                tweets: person.tweets,
                updated_at: at,
            });
        } else {
            let (Some(language), Some(book)) = (
                LANGUAGES.get(person.language),
                self.phrasebooks.get(person.language),
            ) else {
                return;
            };
            let city = dice.percent(70).then(|| dice.pick(language.cities));
            batch.update_user_profile(&UserProfile {
                id: person.id,
                name: dice.pick::<Box<str>>(&book.names),
                description: dice.pick::<Box<str>>(&book.descriptions),
                location: city.map(|city| city.name),
                country_code: city.map(|city| city.country_code),
                updated_at: at,
            });
        }
    }
}
