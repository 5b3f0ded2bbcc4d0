//! CONTRIBUTING.md names files that are there.

#![allow(clippy::expect_used, reason = "a test may panic: that is how it fails")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

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

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.to_string_lossy().ends_with("_tests.rs")
        {
            found.push(path);
        }
    }
}

/// The files of the products in which one of the texts stands.
fn files_with(home: &Path, texts: &[&str]) -> BTreeSet<String> {
    let mut found = Vec::new();
    for package in [
        "crates/debezium",
        "cdc",
        "connect",
        "connector",
        "console",
        "lakewriter",
    ] {
        sources(&home.join(package).join("src"), &mut found);
    }
    let named = found.into_iter().filter(|path| {
        let text = fs::read_to_string(path).expect("a source file");
        texts.iter().any(|named| text.contains(named))
    });
    named
        .map(|path| {
            let path = path.strip_prefix(home).expect("below the checkout");
            path.display().to_string()
        })
        .collect()
}

/// The files that a row of the table names.
fn row(page: &str, wish: &str) -> Vec<String> {
    let mut lines = page.lines();
    let row = lines.find(|line| line.starts_with(&format!("| {wish} |")));
    let in_code = row.expect("the row").split('`').skip(1).step_by(2);
    in_code.map(str::to_owned).collect()
}

/// A type that no code has a special wish for, and a codec and a class of their own, stand where a new one has to.
#[test]
fn a_new_type_touches_what_the_page_says() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(home.join("CONTRIBUTING.md")).expect("the page");
    let known = row(&page, "a type of PostgreSQL");
    let new = row(&page, "a type whose values are like those of no other type");
    let whole: Vec<_> = known.iter().chain(&new).collect();
    let kinds = files_with(home, &["Kind::Macaddr8", "K::Macaddr8", "    Macaddr8,"]);
    let classes = [
        "T::Interval",
        "C::Interval",
        "IntervalText",
        "LakeType::Interval",
        "enum TypeClass",
    ];
    let classes = files_with(home, &classes);
    let is_told = |path: &String, told: &[&String]| told.iter().any(|told| path.starts_with(*told));
    let short: Vec<_> = known.iter().collect();
    let missing: Vec<_> = kinds.iter().filter(|path| !is_told(path, &short)).collect();
    assert!(
        missing.is_empty(),
        "a new kind has to stand in {missing:?} too"
    );
    let missing: Vec<_> = classes
        .iter()
        .filter(|path| !is_told(path, &whole))
        .collect();
    assert!(
        missing.is_empty(),
        "a new class has to stand in {missing:?} too"
    );
    let is_needed = |told: &&&String| {
        !told.ends_with(".rs") || kinds.contains(**told) || classes.contains(**told)
    };
    let stale: Vec<_> = whole.iter().filter(|told| !is_needed(told)).collect();
    assert!(stale.is_empty(), "no type has to stand in {stale:?}");
}
