//! The examples do what their first lines say.

use std::path::Path;

#[path = "../examples/validate.rs"]
#[allow(dead_code, reason = "its `main` is for the command line")]
mod validate;

#[test]
fn a_connector_file_is_validated() -> Result<(), Box<dyn std::error::Error>> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let lines = validate::run(&home.join("deploy/connectors/twitter.json"))?;
    assert_eq!(lines[0], "`twitter` reads slot `twitter` of postgres:5432");
    Ok(())
}
