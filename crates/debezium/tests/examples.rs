//! The examples do what their first lines say.

#[path = "../examples/encode_event.rs"]
#[allow(dead_code, reason = "its `main` is for the command line")]
mod encode_event;

#[test]
fn an_insert_is_debeziums_event() -> Result<(), Box<dyn std::error::Error>> {
    let (key, value) = encode_event::run()?;
    assert_eq!(key, r#"{"id":1}"#);
    let value: serde_json::Value = serde_json::from_str(&value)?;
    assert_eq!(value["op"], "c");
    assert_eq!(value["after"]["text"], "Hello");
    assert_eq!(value["after"]["at"], "2024-05-01T12:34:56.789012Z");
    Ok(())
}
