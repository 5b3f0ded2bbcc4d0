//! Values in forms that the lake does not read: what is said of them where they are set aside.

use debezium::Format;

/// What another converter than JSON's wrote; None where it is JSON.
pub(super) fn other_format(format: Format) -> Option<&'static str> {
    Some(match format {
        Format::Json => return None,
        Format::Avro => {
            "the value is Avro, and the lake reads JSON: set `value.converter` to JsonConverter"
        }
        Format::Text => {
            "the value is StringConverter's text, and the lake reads JSON: set `value.converter` to JsonConverter"
        }
        Format::CloudEvents => {
            "the value is a cloud event, and the lake reads Debezium's envelope: set `value.converter` to JsonConverter"
        }
    })
}

/// The same for a value of which nothing is told: Confluent's wire format begins with a zero and the id of a schema.
pub(super) fn confluent(value: &[u8]) -> Option<String> {
    match value {
        [0, a, b, c, d, _, ..] => {
            let id = u32::from_be_bytes([*a, *b, *c, *d]);
            Some(format!(
                "the value is in Confluent's wire format (Avro or another, schema id {id}), and the lake reads JSON: set `value.converter` to JsonConverter"
            ))
        }
        _ => None,
    }
}

#[test]
fn confluents_form_is_told_from_json() {
    let reason = confluent(&[0, 0, 0, 1, 2, 6]).expect("a zero and an id");
    assert!(reason.contains("schema id 258)"), "{reason}");
    for other in [&b"{}"[..], b"", &[0, 1], &[0, 0, 0, 0, 1]] {
        assert_eq!(confluent(other), None, "{other:?}");
    }
}
