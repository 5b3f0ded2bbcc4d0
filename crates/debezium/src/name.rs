use std::borrow::Cow;

use crate::NameAdjustment;

/// Kafka's limit for the name of a topic, in characters.
const MAX_TOPIC_LENGTH: usize = 249;

/// The topic of a table's events: `<prefix>.<schema>.<table>`, every character that Kafka does not allow replaced
/// by one `_`. Different tables may end in the same topic; Debezium does not notice that either.
pub fn topic_name(prefix: &str, delimiter: &str, schema: &str, table: &str) -> String {
    sanitised_topic(&[prefix, schema, table].join(delimiter))
}

/// `name` with every character outside `[A-Za-z0-9._-]` replaced by one `_`, cut to Kafka's limit.
pub fn sanitised_topic(name: &str) -> String {
    match name {
        "." => "_".to_owned(),
        ".." => "__".to_owned(),
        // Java counts UTF-16 units: what is beyond the BMP counts twice.
        _ => name
            .encode_utf16()
            .map(|unit| match u8::try_from(unit) {
                Ok(c) if c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-') => {
                    char::from(c)
                }
                _ => '_',
            })
            .take(MAX_TOPIC_LENGTH)
            .collect(),
    }
}

/// A schema name under `schema.name.adjustment.mode`: dots stay, they separate namespaces.
pub(crate) fn adjusted_schema_name(name: &str, adjustment: NameAdjustment) -> Cow<'_, str> {
    adjusted(name, adjustment, true)
}

/// A field name under `field.name.adjustment.mode`: dots are replaced as well.
pub(crate) fn adjusted_field_name(name: &str, adjustment: NameAdjustment) -> Cow<'_, str> {
    adjusted(name, adjustment, false)
}

fn adjusted(name: &str, adjustment: NameAdjustment, keep_dots: bool) -> Cow<'_, str> {
    let unicode = match adjustment {
        NameAdjustment::None => return Cow::Borrowed(name),
        NameAdjustment::Avro => false,
        NameAdjustment::AvroUnicode => true,
    };
    let mut text = String::with_capacity(name.len());
    for (i, unit) in name.encode_utf16().enumerate() {
        match u8::try_from(unit) {
            Ok(c @ b'0'..=b'9') => {
                if i == 0 && !unicode {
                    text.push('_');
                }
                if i == 0 && unicode {
                    text.push_str(&escaped(unit));
                } else {
                    text.push(char::from(c));
                }
            }
            Ok(c) if c.is_ascii_alphabetic() => text.push(char::from(c)),
            Ok(b'.') if keep_dots => text.push('.'),
            Ok(b'_') if !unicode => text.push('_'),
            _ if unicode => text.push_str(&escaped(unit)),
            _ => text.push('_'),
        }
    }
    Cow::Owned(text)
}

/// Two zeros stand before one or two digits, none before three.
fn escaped(unit: u16) -> String {
    let zeros = if unit < 0x100 { "00" } else { "" };
    format!("_u{zeros}{unit:x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_take_only_what_kafka_allows() {
        for (schema, table, topic) in [
            ("public", "tweets", "p.public.tweets"),
            ("public", "some|test@data", "p.public.some_test_data"),
            ("My Schema", "Odd Täble", "p.My_Schema.Odd_T_ble"),
            ("public", "🐘", "p.public.__"),
        ] {
            assert_eq!(topic_name("p", ".", schema, table), topic);
        }
        assert_eq!(topic_name("p", "-", "s", "t"), "p-s-t");
        assert_eq!(sanitised_topic(".."), "__");
        assert_eq!(sanitised_topic(&"x".repeat(300)).len(), 249);
    }

    #[test]
    fn names_are_adjusted_for_avro() {
        use NameAdjustment::{Avro, AvroUnicode, None};
        assert_eq!(adjusted_field_name("a.b", None), "a.b");
        assert_eq!(adjusted_field_name("a.b", Avro), "a_b");
        assert_eq!(adjusted_field_name("1st", Avro), "_1st");
        assert_eq!(adjusted_field_name("ü🐘", Avro), "___");
        assert_eq!(adjusted_schema_name("p.my-s.T", Avro), "p.my_s.T");
        for (name, adjusted) in [
            ("a_b", "a_u005fb"),
            ("9a", "_u0039a"),
            ("\t", "_u009"),
            ("\u{e4}", "_u00e4"),
            ("\u{101}", "_u101"),
            ("\u{3042}", "_u3042"),
        ] {
            assert_eq!(adjusted_field_name(name, AvroUnicode), adjusted);
        }
    }
}
