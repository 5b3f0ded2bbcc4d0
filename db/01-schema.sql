-- The tables that the generator writes and that cdc captures. Plain SQL: `tributary demo` runs this very file.
-- Running it again changes nothing.

create table if not exists users (
    id              bigint primary key,
    username        text not null unique,
    name            text not null,
    description     text,
    location        text,
    country_code    text,
    verified        boolean not null default false,
    followers_count integer not null default 0,
    following_count integer not null default 0,
    tweet_count     integer not null default 0,
    created_at      timestamptz not null,
    updated_at      timestamptz not null
);

-- No foreign key from author_id to users, nor between tweets: each row of a bulk load would cost a lookup and a lock on
-- the author's row, and popular authors would make every writer wait for every other. The generator writes an author
-- before, or in the transaction of, his first tweet. A referenced tweet may have been deleted since.
create table if not exists tweets (
    -- Snowflake: milliseconds since 2010-11-04 01:42:54.657 UTC << 22, ten bits of worker, twelve bits of sequence.
    id                   bigint primary key,
    author_id            bigint not null,
    text                 text not null,
    lang                 text not null,
    source               text not null,
    created_at           timestamptz not null,
    hashtags             text[] not null default '{}',
    place                text,
    longitude            double precision,
    latitude             double precision,
    like_count           integer not null default 0,
    retweet_count        integer not null default 0,
    reply_count          integer not null default 0,
    quote_count          integer not null default 0,
    impression_count     bigint,
    -- As X API v2 gives them: hashtags, mentions and urls with start and end, counted in code points, end exclusive.
    entities             jsonb,
    in_reply_to_tweet_id bigint,
    retweeted_tweet_id   bigint,
    quoted_tweet_id      bigint,
    possibly_sensitive   boolean not null default false,
    edited_at            timestamptz
);
