//! The changes of one transaction, as the bytes that PostgreSQL reads.

mod fields;
mod timestamp;
mod transaction;

use std::{collections::HashSet, io::Write as _};

pub use fields::Form;
pub use transaction::{Tally, Transaction};

use self::{fields::Fields, timestamp::TimestampText};
use crate::world::{
    Entity, EntityKind, Metrics, TweetEdit, TweetRow, UserCounters, UserProfile, UserRow,
    write_json,
};

pub const TWEET_COLUMNS: &str = "id, author_id, text, lang, source, created_at, hashtags, place, longitude, latitude, \
    like_count, retweet_count, reply_count, quote_count, impression_count, entities, in_reply_to_tweet_id, \
    retweeted_tweet_id, quoted_tweet_id, possibly_sensitive";
const USER_COLUMNS: &str = "id, username, name, description, location, country_code, verified, followers_count, \
    following_count, tweet_count, created_at, updated_at";

/// Collects changes. Rows of one kind become one statement; the order is new users, new tweets, updates, deletes, and
/// two updates of the same row never share a statement, so the result is that of the changes one by one.
#[derive(Debug)]
pub struct Batch {
    form: Form,
    users: Vec<u8>,
    tweets: Vec<u8>,
    metrics: Vec<u8>,
    edits: Vec<u8>,
    profiles: Vec<u8>,
    counters: Vec<u8>,
    /// Finished update statements.
    updates: Vec<u8>,
    deletes: Vec<u8>,
    /// Rows in the four unfinished update statements.
    touched: HashSet<i64>,
    /// A new tweet that this batch does not delete: if it is in the table, the transaction was committed.
    evidence: Option<i64>,
    tally: Tally,
    timestamp: TimestampText,
    scratch: Vec<u8>,
}

impl Batch {
    /// Writes rows of tweets into `buffer`, whose contents are dropped and whose memory is used again.
    pub fn new(form: Form, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Self {
            form,
            users: Vec::new(),
            tweets: buffer,
            metrics: Vec::new(),
            edits: Vec::new(),
            profiles: Vec::new(),
            counters: Vec::new(),
            updates: Vec::new(),
            deletes: Vec::new(),
            touched: HashSet::new(),
            evidence: None,
            tally: Tally::default(),
            timestamp: TimestampText::default(),
            scratch: Vec::new(),
        }
    }

    pub fn insert_user(&mut self, user: &UserRow<'_>) {
        let mut fields = Fields::begin(&mut self.users, Form::Values);
        fields.int(user.id);
        fields.text(user.username);
        fields.text(user.name);
        fields.text(user.description);
        fields.optional_text(user.location);
        fields.optional_text(user.country_code);
        fields.bool(user.verified);
        fields.int(user.followers);
        fields.int(user.following);
        fields.int(user.tweets);
        fields.quoted(self.timestamp.text(user.created_at));
        fields.quoted(self.timestamp.text(user.updated_at));
        fields.end();
        self.tally.users += 1;
    }

    pub fn insert_tweet(&mut self, tweet: &TweetRow<'_>) {
        let mut fields = Fields::begin(&mut self.tweets, self.form);
        fields.int(tweet.id);
        fields.int(tweet.author_id);
        fields.text(tweet.text);
        fields.text(tweet.lang);
        fields.text(tweet.source);
        fields.quoted(self.timestamp.text(tweet.created_at));
        write_hashtags(&mut self.scratch, tweet.text, tweet.entities);
        fields.quoted(&self.scratch);
        match tweet.place {
            Some(place) => {
                fields.text(place.name);
                fields.hundred_thousandths(place.longitude);
                fields.hundred_thousandths(place.latitude);
            }
            None => {
                fields.null();
                fields.null();
                fields.null();
            }
        }
        write_metrics(&mut fields, &tweet.metrics);
        write_entities(&mut fields, &mut self.scratch, tweet.text, tweet.entities);
        fields.optional_int(tweet.in_reply_to);
        fields.optional_int(tweet.retweeted);
        fields.optional_int(tweet.quoted);
        fields.bool(tweet.possibly_sensitive);
        fields.end();
        self.evidence = Some(tweet.id);
        self.tally.inserted += 1;
    }

    pub fn update_metrics(&mut self, id: i64, metrics: &Metrics) {
        self.touch(id);
        let mut fields = Fields::begin(&mut self.metrics, Form::Values);
        fields.int(id);
        write_metrics(&mut fields, metrics);
        fields.end();
    }

    pub fn edit_tweet(&mut self, edit: &TweetEdit<'_>) {
        self.touch(edit.id);
        let mut fields = Fields::begin(&mut self.edits, Form::Values);
        fields.int(edit.id);
        fields.text(edit.text);
        write_hashtags(&mut self.scratch, edit.text, edit.entities);
        fields.quoted(&self.scratch);
        write_entities(&mut fields, &mut self.scratch, edit.text, edit.entities);
        fields.quoted(self.timestamp.text(edit.edited_at));
        fields.end();
    }

    pub fn update_user_profile(&mut self, profile: &UserProfile<'_>) {
        self.touch(profile.id);
        let mut fields = Fields::begin(&mut self.profiles, Form::Values);
        fields.int(profile.id);
        fields.text(profile.name);
        fields.text(profile.description);
        fields.optional_text(profile.location);
        fields.optional_text(profile.country_code);
        fields.quoted(self.timestamp.text(profile.updated_at));
        fields.end();
    }

    pub fn update_user_counters(&mut self, user: &UserCounters) {
        self.touch(user.id);
        let mut fields = Fields::begin(&mut self.counters, Form::Values);
        fields.int(user.id);
        fields.int(user.followers);
        fields.int(user.following);
        fields.int(user.tweets);
        fields.quoted(self.timestamp.text(user.updated_at));
        fields.end();
    }

    pub fn delete_tweet(&mut self, id: i64) {
        self.deletes
            .extend_from_slice(if self.deletes.is_empty() { b"" } else { b"," });
        let _ = write!(self.deletes, "{id}");
        if self.evidence == Some(id) {
            self.evidence = None;
        }
        self.tally.deleted += 1;
    }

    fn touch(&mut self, id: i64) {
        if !self.touched.insert(id) {
            self.finish_updates();
            self.touched.insert(id);
        }
        self.tally.updated += 1;
    }

    fn finish_updates(&mut self) {
        let updates = &mut self.updates;
        let mut finish = |before: &str, values: &mut Vec<u8>, after: &str| {
            if !values.is_empty() {
                updates.extend_from_slice(before.as_bytes());
                updates.append(values);
                updates.extend_from_slice(after.as_bytes());
            }
        };
        finish(
            "update tweets t set like_count = v.likes, retweet_count = v.retweets, reply_count = v.replies, \
             quote_count = v.quotes, impression_count = v.impressions from (values ",
            &mut self.metrics,
            ") v (id, likes, retweets, replies, quotes, impressions) where t.id = v.id;\n",
        );
        finish(
            "update tweets t set text = v.text, hashtags = v.hashtags::text[], entities = v.entities::jsonb, \
             edited_at = v.edited_at::timestamptz from (values ",
            &mut self.edits,
            ") v (id, text, hashtags, entities, edited_at) where t.id = v.id;\n",
        );
        finish(
            "update users u set name = v.name, description = v.description, location = v.location, \
             country_code = v.country_code, updated_at = v.updated_at::timestamptz from (values ",
            &mut self.profiles,
            ") v (id, name, description, location, country_code, updated_at) where u.id = v.id;\n",
        );
        finish(
            "update users u set followers_count = v.followers, following_count = v.following, \
             tweet_count = v.tweets, updated_at = v.updated_at::timestamptz from (values ",
            &mut self.counters,
            ") v (id, followers, following, tweets, updated_at) where u.id = v.id;\n",
        );
        self.touched.clear();
    }

    /// The statements of the transaction.
    pub fn finish(mut self) -> Transaction {
        self.finish_updates();
        let mut before = Vec::new();
        if !self.users.is_empty() {
            let _ = write!(before, "insert into users ({USER_COLUMNS}) values ");
            before.append(&mut self.users);
            before.extend_from_slice(b";\n");
        }
        let mut copy = None;
        if !self.tweets.is_empty() {
            match self.form {
                Form::Copy => copy = Some(self.tweets.into()),
                Form::Values => {
                    let _ = write!(before, "insert into tweets ({TWEET_COLUMNS}) values ");
                    before.append(&mut self.tweets);
                    before.extend_from_slice(b";\n");
                }
            }
        }
        let mut after = self.updates;
        if !self.deletes.is_empty() {
            after.extend_from_slice(b"delete from tweets where id = any ('{");
            after.append(&mut self.deletes);
            after.extend_from_slice(b"}');\n");
        }
        Transaction::new(before, copy, after, self.evidence, self.tally)
    }
}

fn write_metrics(fields: &mut Fields<'_>, metrics: &Metrics) {
    fields.int(metrics.likes);
    fields.int(metrics.retweets);
    fields.int(metrics.replies);
    fields.int(metrics.quotes);
    fields.int(metrics.impressions);
}

fn write_entities(fields: &mut Fields<'_>, scratch: &mut Vec<u8>, text: &str, entities: &[Entity]) {
    if entities.is_empty() {
        fields.null();
    } else {
        scratch.clear();
        write_json(scratch, text, entities);
        fields.quoted(scratch);
    }
}

/// As an array literal; tags hold nothing that would need an escape between the quotes.
fn write_hashtags(out: &mut Vec<u8>, text: &str, entities: &[Entity]) {
    out.clear();
    out.push(b'{');
    for entity in entities
        .iter()
        .filter(|entity| matches!(entity.kind, EntityKind::Hashtag))
    {
        if out.len() > 1 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(entity.slice(text).get(1..).unwrap_or_default().as_bytes());
        out.push(b'"');
    }
    out.push(b'}');
}
