use tokio_postgres::{Client, Error, Row};

use crate::{
    language::{LANGUAGES, language_of_code, language_of_country},
    world::{
        Found, KnownTweet, Metrics, PEOPLE_KEPT, People, Person, RecentTweet, TWEETS_KNOWN,
        TWEETS_RECENT,
    },
};

const KNOWN_COLUMNS: &str = "id, lang, retweeted_tweet_id is not null, like_count, retweet_count, reply_count, quote_count, \
     coalesce(impression_count, 0)";

/// Reads what the tables hold, as far as a run of this worker needs to know. Equal tables give equal answers.
pub async fn find(client: &Client, worker: u16) -> Result<Found, Error> {
    let greatest_tweet_id = client
        .query_one_scalar("select coalesce(max(id), 0) from tweets", &[])
        .await?;
    let (first, last) = People::id_range(worker);
    let greatest_user_id: i64 = client
        .query_one_scalar(
            "select coalesce(max(id), $1) from users where id between $1 and $2",
            &[&first, &last],
        )
        .await?;
    let people = client
        .query(
            "select id, username, country_code, followers_count, following_count, tweet_count from users \
             order by followers_count desc, id limit $1",
            &[&(PEOPLE_KEPT as i64)],
        )
        .await?
        .iter()
        .map(person)
        .collect::<Result<_, _>>()?;
    let mut recent = client
        .query(
            "select t.id, t.author_id, u.username, t.lang from tweets t join users u on u.id = t.author_id \
             where t.retweeted_tweet_id is null order by t.id desc limit $1",
            &[&(TWEETS_RECENT as i64)],
        )
        .await?
        .iter()
        .map(recent_tweet)
        .collect::<Result<Vec<_>, _>>()?;
    recent.reverse();
    Ok(Found {
        greatest_tweet_id,
        next_user_number: u32::try_from(greatest_user_id - first + 1).unwrap_or(u32::MAX),
        people,
        known: older_tweets(client, i64::MAX).await?,
        recent,
    })
}

/// The newest of the table's tweets before this id, the newest first.
pub async fn older_tweets(client: &Client, before: i64) -> Result<Vec<KnownTweet>, Error> {
    client
        .query(
            &format!("select {KNOWN_COLUMNS} from tweets where id < $1 order by id desc limit $2"),
            &[&before, &(TWEETS_KNOWN as i64)],
        )
        .await?
        .iter()
        .map(known_tweet)
        .collect()
}

fn person(row: &Row) -> Result<Person, Error> {
    let country_code: Option<&str> = row.try_get(2)?;
    let id: i64 = row.try_get(0)?;
    Ok(Person {
        id,
        username: row.try_get::<_, &str>(1)?.into(),
        language: match country_code {
            Some(country_code) => language_of_country(country_code),
            // Nothing says what he speaks; the id at least says it each time in the same way.
            None => (id as usize) % LANGUAGES.len(),
        },
        followers: count(row.try_get(3)?),
        following: count(row.try_get(4)?),
        tweets: count(row.try_get(5)?),
    })
}

fn recent_tweet(row: &Row) -> Result<RecentTweet, Error> {
    Ok(RecentTweet {
        id: row.try_get(0)?,
        author_id: row.try_get(1)?,
        username: row.try_get(2)?,
        language: language_of_code(row.try_get(3)?),
        ..RecentTweet::default()
    })
}

fn known_tweet(row: &Row) -> Result<KnownTweet, Error> {
    Ok(KnownTweet {
        id: row.try_get(0)?,
        language: language_of_code(row.try_get(1)?),
        retweet: row.try_get(2)?,
        metrics: Metrics {
            likes: count(row.try_get(3)?),
            retweets: count(row.try_get(4)?),
            replies: count(row.try_get(5)?),
            quotes: count(row.try_get(6)?),
            impressions: u64::try_from(row.try_get::<_, i64>(7)?).unwrap_or(0),
        },
    })
}

/// A counter that somebody made negative counts as 0.
fn count(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}
