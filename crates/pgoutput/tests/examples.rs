//! The examples do what their first lines say.

#[path = "../examples/decode_file.rs"]
#[allow(dead_code, reason = "its `main` is for the command line")]
mod decode_file;

#[test]
fn a_recorded_file_is_decoded() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/crud.pgoutput");
    let lines = decode_file::run(path)?;
    assert!(lines[0].starts_with("Begin("), "{lines:#?}");
    for kind in ["Relation(", "Insert(", "Update(", "Delete(", "Commit("] {
        assert!(lines.iter().any(|it| it.starts_with(kind)), "{lines:#?}");
    }
    Ok(())
}
