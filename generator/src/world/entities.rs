//! Tags, names and links in a text, and the `entities` object of X API v2.

use std::io::Write as _;

/// Something in a text that is not plain words. Places are counted as X counts them: code points, `end` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entity {
    pub kind: EntityKind,
    pub start: u32,
    pub end: u32,
    pub byte_start: u32,
    pub byte_end: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntityKind {
    Hashtag,
    Mention { user_id: i64 },
    Link(Link),
}

/// Where a short link leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// A page of a domain that is reserved for examples.
    Article(u32),
    /// The quoted tweet.
    Tweet(i64),
}

impl Entity {
    /// The part of the text that it is about, with its mark.
    pub fn slice<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.byte_start as usize..self.byte_end as usize)
            .unwrap_or_default()
    }

    pub(super) const fn shifted(mut self, chars: u32, bytes: u32) -> Self {
        self.start += chars;
        self.end += chars;
        self.byte_start += bytes;
        self.byte_end += bytes;
        self
    }
}

/// The `entities` object of a tweet, as X API v2 writes it; nothing in it needs JSON escapes, since tags, user names
/// and links hold neither quotes nor backslashes nor control characters.
pub fn write_json(out: &mut Vec<u8>, text: &str, entities: &[Entity]) {
    out.push(b'{');
    let mut first = true;
    array(
        out,
        &mut first,
        "hashtags",
        entities,
        |out, entity| match entity.kind {
            EntityKind::Hashtag => Some(write!(
                out,
                r#","tag":"{}""#,
                entity.slice(text).get(1..).unwrap_or_default()
            )),
            EntityKind::Mention { .. } | EntityKind::Link(_) => None,
        },
    );
    array(
        out,
        &mut first,
        "mentions",
        entities,
        |out, entity| match entity.kind {
            EntityKind::Mention { user_id } => {
                let username = entity.slice(text).get(1..).unwrap_or_default();
                Some(write!(out, r#","username":"{username}","id":"{user_id}""#))
            }
            EntityKind::Hashtag | EntityKind::Link(_) => None,
        },
    );
    array(
        out,
        &mut first,
        "urls",
        entities,
        |out, entity| match entity.kind {
            EntityKind::Link(link) => {
                let url = entity.slice(text);
                Some(match link {
                    Link::Article(page) => write!(
                        out,
                        r#","url":"{url}","expanded_url":"https://www.example.com/articles/{page}","display_url":"example.com/articles/{page}""#
                    ),
                    Link::Tweet(id) => write!(
                        out,
                        r#","url":"{url}","expanded_url":"https://x.com/i/web/status/{id}","display_url":"x.com/i/web/status/{id}""#
                    ),
                })
            }
            EntityKind::Hashtag | EntityKind::Mention { .. } => None,
        },
    );
    out.push(b'}');
}

fn array(
    out: &mut Vec<u8>,
    first: &mut bool,
    name: &str,
    entities: &[Entity],
    mut rest: impl FnMut(&mut Vec<u8>, &Entity) -> Option<std::io::Result<()>>,
) {
    let mut open = false;
    for entity in entities {
        let before = out.len();
        if open {
            out.push(b',');
        } else {
            if !*first {
                out.push(b',');
            }
            let _ = write!(out, r#""{name}":["#);
        }
        let _ = write!(out, r#"{{"start":{},"end":{}"#, entity.start, entity.end);
        if rest(out, entity).is_some() {
            out.push(b'}');
            open = true;
            *first = false;
        } else {
            out.truncate(before);
        }
    }
    if open {
        out.push(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_x_writes() {
        let text = "hi @a_b #ünï https://t.co/0123456789";
        let entity = |kind, part: &str| {
            let byte_start = text.find(part).unwrap();
            let start = text[..byte_start].chars().count() as u32;
            Entity {
                kind,
                start,
                end: start + part.chars().count() as u32,
                byte_start: byte_start as u32,
                byte_end: (byte_start + part.len()) as u32,
            }
        };
        let entities = [
            entity(EntityKind::Mention { user_id: 7 }, "@a_b"),
            entity(EntityKind::Hashtag, "#ünï"),
            entity(EntityKind::Link(Link::Tweet(9)), "https://t.co/0123456789"),
        ];
        let mut json = Vec::new();
        write_json(&mut json, text, &entities);
        let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "hashtags": [{"start": 8, "end": 12, "tag": "ünï"}],
                "mentions": [{"start": 3, "end": 7, "username": "a_b", "id": "7"}],
                "urls": [{"start": 13, "end": 36, "url": "https://t.co/0123456789",
                    "expanded_url": "https://x.com/i/web/status/9", "display_url": "x.com/i/web/status/9"}],
            })
        );
    }

    #[test]
    fn no_entities_are_an_empty_object() {
        let mut json = Vec::new();
        write_json(&mut json, "plain", &[]);
        assert_eq!(json, b"{}");
    }
}
