//! Rows as they go into the tables; the columns and their order are those of `db/01-schema.sql`.

use super::{clock::UnixMicros, entities::Entity, known::Metrics};

pub struct UserRow<'a> {
    pub id: i64,
    pub username: &'a str,
    pub name: &'a str,
    pub description: &'a str,
    pub location: Option<&'a str>,
    pub country_code: Option<&'a str>,
    pub verified: bool,
    pub followers: u32,
    pub following: u32,
    pub tweets: u32,
    pub created_at: UnixMicros,
    pub updated_at: UnixMicros,
}

pub struct TweetRow<'a> {
    pub id: i64,
    pub author_id: i64,
    pub text: &'a str,
    pub lang: &'a str,
    pub source: &'a str,
    pub created_at: UnixMicros,
    pub place: Option<Place<'a>>,
    pub metrics: Metrics,
    /// Also where the column `hashtags` comes from.
    pub entities: &'a [Entity],
    pub in_reply_to: Option<i64>,
    pub retweeted: Option<i64>,
    pub quoted: Option<i64>,
    pub possibly_sensitive: bool,
}

/// Coordinates in 1e-5 degrees.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub name: &'a str,
    pub longitude: i32,
    pub latitude: i32,
}

/// New words for a tweet.
pub struct TweetEdit<'a> {
    pub id: i64,
    pub text: &'a str,
    pub entities: &'a [Entity],
    pub edited_at: UnixMicros,
}

pub struct UserProfile<'a> {
    pub id: i64,
    pub name: &'a str,
    pub description: &'a str,
    pub location: Option<&'a str>,
    pub country_code: Option<&'a str>,
    pub updated_at: UnixMicros,
}

pub struct UserCounters {
    pub id: i64,
    pub followers: u32,
    pub following: u32,
    pub tweets: u32,
    pub updated_at: UnixMicros,
}
