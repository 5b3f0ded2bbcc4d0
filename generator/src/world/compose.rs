//! Puts the text of a tweet together, and keeps the places of what stands in it.
//!
//! No text is longer than a tweet may be, and the places are right to the code point.

use super::{
    dice::Dice,
    entities::{Entity, EntityKind},
};
use crate::language::{Fragment, Language};

/// The longest text of an ordinary tweet, in code points.
pub const TWEET_CHARS: u32 = 280;
/// A link takes this many code points, as on X: `https://t.co/` and ten more.
const LINK_CHARS: u32 = 23;
const LINK_LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const EMOJI: [&str; 24] = [
    "😂",
    "❤️",
    "😭",
    "🔥",
    "✨",
    "🙏",
    "😍",
    "🎉",
    "👍",
    "🤔",
    "💯",
    "🚀",
    "☕",
    "🌧️",
    "🐱",
    "⚽",
    "📚",
    "🎶",
    "👩‍💻",
    "🏳️‍🌈",
    "🇧🇷",
    "👋🏽",
    "😅",
    "🌸",
];
/// Tags that are used whatever the language.
const WORLDWIDE_TAGS: [&str; 8] = [
    "WorldCup",
    "breaking",
    "BTS",
    "AI",
    "FreeBSD",
    "100DaysOfCode",
    "NewMusicFriday",
    "Eurovision",
];

/// Puts the text of one tweet together and keeps the entities that stand in it. Used again for each tweet, so that no
/// row allocates.
#[derive(Debug, Default)]
pub struct Composer {
    pub text: String,
    pub entities: Vec<Entity>,
    chars: u32,
}

impl Composer {
    pub fn clear(&mut self) {
        self.text.clear();
        self.entities.clear();
        self.chars = 0;
    }

    /// Length of the text in code points.
    #[cfg(test)]
    pub const fn chars(&self) -> u32 {
        self.chars
    }

    fn room(&self, chars: u32) -> bool {
        // One more for the space before it.
        self.chars + chars < TWEET_CHARS
    }

    fn space(&mut self) {
        if !self.text.is_empty() {
            self.text.push(' ');
            self.chars += 1;
        }
    }

    fn push(&mut self, text: &str, chars: u32) {
        self.text.push_str(text);
        self.chars += chars;
    }

    fn entity(&mut self, kind: EntityKind, mark: &str, text: &str) {
        self.space();
        let (start, byte_start) = (self.chars, self.text.len());
        self.push(mark, mark.len() as u32);
        self.push(text, text.chars().count() as u32);
        self.entities.push(Entity {
            kind,
            start,
            end: self.chars,
            byte_start: byte_start as u32,
            byte_end: self.text.len() as u32,
        });
    }

    /// A sentence, if it still fits.
    pub fn sentence(&mut self, sentence: &Fragment) {
        if self.room(sentence.chars) {
            self.space();
            self.push(&sentence.text, sentence.chars);
        }
    }

    /// `@username`, if it still fits.
    pub fn mention(&mut self, user_id: i64, username: &str) {
        if self.room(1 + username.len() as u32) {
            self.entity(EntityKind::Mention { user_id }, "@", username);
        }
    }

    /// `#tag`, if it still fits and is not there yet.
    fn hashtag(&mut self, tag: &str) {
        let there = self.hashtags().any(|other| other == tag);
        if !there && self.room(1 + tag.chars().count() as u32) {
            self.entity(EntityKind::Hashtag, "#", tag);
        }
    }

    /// A short link, if it still fits.
    pub fn link(&mut self, dice: &mut Dice, expanded: Link) {
        if !self.room(LINK_CHARS) {
            return;
        }
        let mut code = [0_u8; 10];
        for letter in &mut code {
            *letter = *dice.pick(LINK_LETTERS);
        }
        let code = str::from_utf8(&code).unwrap_or_default();
        self.entity(EntityKind::Link(expanded), "https://t.co/", code);
    }

    /// The tags in the text, without `#`.
    pub fn hashtags(&self) -> impl Iterator<Item = &str> {
        self.entities
            .iter()
            .filter(|entity| matches!(entity.kind, EntityKind::Hashtag))
            .filter_map(|entity| entity.slice(&self.text).get(1..))
    }

    /// What an author adds of his own: sentences, emoji, tags, a link.
    pub fn body(&mut self, dice: &mut Dice, language: &Language, sentences: &[Fragment]) {
        if dice.one_in(20) {
            self.hashtag(tag(dice, language));
        }
        self.sentence(dice.pick(sentences));
        if dice.percent(35) {
            self.sentence(dice.pick(sentences));
        }
        if dice.percent(35) {
            let emoji = *dice.pick(&EMOJI);
            let chars = emoji.chars().count() as u32;
            if self.room(chars) {
                self.space();
                self.push(emoji, chars);
            }
        }
        for share in [38, 40, 35] {
            if !dice.percent(share) {
                break;
            }
            self.hashtag(tag(dice, language));
        }
        if dice.percent(18) {
            let article = dice.below(1_000_000);
            self.link(dice, Link::Article(article));
        }
    }

    /// A long note: some kilobytes of paragraphs, so that its text leaves the row (TOAST).
    pub fn note(&mut self, dice: &mut Dice, language: &Language, sentences: &[Fragment]) {
        let bytes = 6_000 + dice.index(9_000);
        while self.text.len() < bytes {
            let sentence = dice.pick(sentences);
            if dice.one_in(6) {
                self.push("\n\n", 2);
            } else {
                self.space();
            }
            self.push(&sentence.text, sentence.chars);
            // Without something that does not compress, a note would shrink until it fits into its row again.
            self.push(" [", 2);
            for _ in 0..32 {
                let letter = char::from(*dice.pick(LINK_LETTERS));
                self.text.push(letter);
            }
            self.chars += 32;
            self.push("]", 1);
        }
        self.entity(EntityKind::Hashtag, "#", tag(dice, language));
    }

    /// `RT @username: text`, cut with an ellipsis where it grows too long, with the entities that are left whole.
    pub fn retweet(&mut self, author_id: i64, username: &str, text: &str, entities: &[Entity]) {
        self.push("RT", 2);
        self.entity(EntityKind::Mention { user_id: author_id }, "@", username);
        self.push(": ", 2);
        let (chars_before, bytes_before) = (self.chars, self.text.len() as u32);
        let room = TWEET_CHARS - self.chars;
        let kept = match text.char_indices().nth(room as usize) {
            None => text,
            Some(_) => {
                let cut = text
                    .char_indices()
                    .nth(room as usize - 1)
                    .map_or(text.len(), |(at, _)| at);
                text.get(..cut).unwrap_or(text)
            }
        };
        self.push(kept, kept.chars().count() as u32);
        let kept_bytes = kept.len() as u32;
        self.entities.extend(
            entities
                .iter()
                .filter(|entity| entity.byte_end <= kept_bytes)
                .map(|entity| entity.shifted(chars_before, bytes_before)),
        );
        if kept.len() < text.len() {
            self.push("…", 1);
        }
    }
}

fn tag<'a>(dice: &mut Dice, language: &Language) -> &'a str {
    let tags = if dice.percent(12) {
        &WORLDWIDE_TAGS
    } else {
        language.hashtags
    };
    tags.get(dice.rank(tags.len())).copied().unwrap_or("news")
}

pub use super::entities::Link;
