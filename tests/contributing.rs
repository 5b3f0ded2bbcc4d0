//! CONTRIBUTING.md names files that are there.

use std::path::Path;

#[test]
fn what_the_page_sends_to_is_there() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(home.join("CONTRIBUTING.md")).expect("the page");
    let in_code = page.split('`').skip(1).step_by(2);
    let linked = page.split("](").skip(1);
    let linked = linked.filter_map(|rest| rest.split(')').next());
    let is_path =
        |text: &&str| text.contains('/') && !text.contains([' ', '\n']) && !text.starts_with('/');
    let missing: Vec<&str> = in_code
        .chain(linked)
        .filter(is_path)
        .filter(|path| !home.join(path).exists())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
