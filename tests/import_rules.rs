//! The import rules of the house, read from `cargo metadata` and from the source text.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

#[path = "house/trunks.rs"]
mod trunks;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use trunks::TRUNKS;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Names of the normal dependencies (not dev, not build) of one of our packages.
fn dependencies(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let found = packages
        .iter()
        .find(|p| p["name"] == package)
        .unwrap_or_else(|| panic!("package {package} is in the workspace"));
    found["dependencies"]
        .as_array()
        .expect("dependencies")
        .iter()
        .filter(|d| d["kind"].is_null())
        .map(|d| d["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn sources_under(folders: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders {
        sources(&root().join(folder), &mut found);
    }
    assert!(!found.is_empty(), "no sources under {folders:?}");
    found
}

/// Files under the trunks that name `word` in code and stand in none of `allowed`.
fn strangers(word: &str, allowed: &[&str]) -> Vec<String> {
    sources_under(&TRUNKS)
        .into_iter()
        .filter_map(|path| {
            let text = fs::read_to_string(&path).expect("a readable file");
            let relative = path.strip_prefix(root()).expect("under the root");
            let relative = relative.display().to_string();
            let named = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .any(|line| line.contains(word));
            (named && !allowed.iter().any(|a| relative.starts_with(a))).then_some(relative)
        })
        .collect()
}

#[test]
fn pure_crates_have_no_runtime_and_do_not_know_each_other() {
    for (package, others) in [
        ("pgoutput", &["debezium", "pgtext"][..]),
        ("debezium", &["pgoutput"]),
    ] {
        let found = dependencies(package);
        for banned in ["tokio", "tracing"].iter().chain(others) {
            assert!(
                !found.iter().any(|d| d == banned),
                "{package} depends on {banned}"
            );
        }
    }
    // Whoever reads PostgreSQL's text may use it, so it drags nothing in.
    assert_eq!(dependencies("pgtext"), ["memchr"]);
}

#[test]
fn the_trunks_meet_only_in_types() {
    for (package, banned) in [
        (
            "connector",
            &["cdc", "connect", "lakewriter", "generator", "console"][..],
        ),
        ("connect", &["lakewriter", "generator", "console"]),
        ("cdc", &["connect", "lakewriter", "generator", "console"]),
        (
            "lakewriter",
            &[
                "cdc",
                "connect",
                "connector",
                "generator",
                "console",
                "mirror",
                "pgoutput",
            ],
        ),
        (
            "generator",
            &["cdc", "connect", "connector", "lakewriter", "console"],
        ),
        (
            "console",
            &[
                "cdc",
                "connect",
                "connector",
                "generator",
                "pgoutput",
                "mirror",
            ],
        ),
        (
            "mirror",
            &["cdc", "connect", "connector", "generator", "pgoutput"],
        ),
        (
            "service",
            &[
                "cdc",
                "connect",
                "connector",
                "lakewriter",
                "generator",
                "console",
            ],
        ),
    ] {
        let found = dependencies(package);
        for name in banned {
            assert!(
                !found.iter().any(|d| d == name),
                "{package} depends on {name}"
            );
        }
    }
}

#[test]
fn only_the_postgres_ends_speak_to_postgres() {
    let allowed = [
        "cdc/src/source/",
        "generator/src/postgres",
        "lakewriter/src/outlet/",
        "crates/postgres-tls/src/",
    ];
    assert_eq!(strangers("tokio_postgres", &allowed), [""; 0]);
    assert_eq!(strangers("postgres_protocol", &allowed), [""; 0]);
}

#[test]
fn only_the_kafka_ends_speak_to_kafka() {
    let allowed = [
        "cdc/src/kafka/",
        "connector/src/kafka_settings.rs",
        "lakewriter/src/source/",
    ];
    assert_eq!(strangers("rdkafka::", &allowed), [""; 0]);
}

#[test]
fn only_the_lake_writes_to_the_object_store() {
    // axum names its PUT routes the same way; a compaction writes the files that it puts in the place of others.
    let allowed = [
        "lakewriter/src/lake/",
        "lakewriter/src/maintain/rewrite.rs",
        "connect/src/rest",
    ];
    for call in [".put(", ".put_opts(", ".put_multipart("] {
        assert_eq!(strangers(call, &allowed), [""; 0]);
    }
}

/// Who is how far is worked out from what was read and seen, by nothing but that; so random lives of it play in seconds.
#[test]
fn the_positions_of_the_lake_do_no_io() {
    for path in sources_under(&["lakewriter/src/progress"]) {
        let text = fs::read_to_string(&path).expect("a readable file");
        for word in ["async ", "tokio", "deltalake", "object_store", "rdkafka"] {
            let named = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .any(|line| line.contains(word));
            assert!(!named, "{} names {word}", path.display());
        }
        for name in imported(&text) {
            assert!(
                ["Error", "ErrorKind", "error", "progress"].contains(&name.as_str()),
                "{} names {name}",
                path.display()
            );
        }
    }
}

/// The stages of cdc, and those of them that each may name. What they share stands below them, in files of `cdc/src` and in
/// `cdc/src/table`; `pipeline` puts them together.
const STAGES: [(&str, &[&str]); 6] = [
    ("table", &[]),
    ("source", &[]),
    ("assemble", &[]),
    ("kafka", &[]),
    ("registry", &[]),
    ("sink", &["kafka", "registry"]),
];

/// Modules of the crate that a text imports or names.
fn imported(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join(" ");
    let mut found = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            None => found.push(first_name(rest)),
            Some(list) => {
                let mut depth = 1;
                let mut begins = true;
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 1 => begins = true,
                        c if begins && !c.is_whitespace() => {
                            found.push(first_name(&list[at..]));
                            begins = false;
                        }
                        _ => {}
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
        }
    }
    found
}

fn first_name(path: &str) -> String {
    path.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

#[test]
fn the_stages_of_cdc_know_types_and_not_each_other() {
    assert_eq!(
        imported("use crate::{Error, kafka::{a, b}, sink::C};\n// crate::x\ncrate::source::d()"),
        ["Error", "kafka", "sink", "source"]
    );
    let mut strangers = Vec::new();
    for (stage, may_name) in STAGES {
        for path in sources_under(&[&format!("cdc/src/{stage}")]) {
            let relative = path.strip_prefix(root()).expect("under the root");
            // A test may put stages together.
            let shown = relative.display().to_string();
            if shown.contains("_tests") {
                continue;
            }
            for name in imported(&fs::read_to_string(&path).expect("a readable file")) {
                let is_stage = name == "pipeline" || STAGES.iter().any(|(other, _)| *other == name);
                let shared = name == stage || name == "table" || may_name.contains(&name.as_str());
                if is_stage && !shared {
                    strangers.push(format!("{shown} names {name}"));
                }
            }
        }
    }
    assert_eq!(strangers, [""; 0]);
}

/// Bytes that must be there and are not are a defect of ours: read as none, they would be a row that is lost behind a
/// green light.
#[test]
fn no_range_of_a_change_is_read_as_nothing() {
    let range = regex::Regex::new(
        r"\.get(?:_mut)?\((?:[^()]|\([^()]*\))*\.\.(?:[^()]|\([^()]*\))*\)\s*\.unwrap_or_default\(",
    )
    .expect("a pattern");
    assert!(range.is_match("text.get(self.at(1)..end)\n    .unwrap_or_default()"));
    for path in sources_under(&["cdc/src", "connect/src", "connector/src"]) {
        let text = fs::read_to_string(&path).expect("readable source");
        if let Some(found) = range.find(&text) {
            panic!("{}: `{}`", path.display(), found.as_str());
        }
    }
}

#[test]
fn a_mod_file_only_lists() {
    let begins = [
        "fn ",
        "async fn ",
        "struct ",
        "enum ",
        "trait ",
        "impl ",
        "impl<",
        "const ",
        "static ",
    ];
    for path in sources_under(&TRUNKS) {
        if path.file_name().is_some_and(|name| name == "mod.rs") {
            let text = fs::read_to_string(&path).expect("a readable file");
            let code = text.lines().find(|line| {
                let line = line
                    .trim_start_matches("pub ")
                    .trim_start_matches("pub(crate) ")
                    .trim_start_matches("pub(super) ");
                begins.iter().any(|begin| line.starts_with(begin))
            });
            let shown = path.strip_prefix(root()).expect("under the root").display();
            assert_eq!(
                code, None,
                "{shown}: code stands in a file beside the folder"
            );
        }
    }
}

#[test]
fn files_have_one_idea_and_names_that_say_it() {
    let mut all = sources_under(&TRUNKS);
    all.extend(sources_under(&["tests"]));
    for path in all {
        let shown = path.strip_prefix(root()).expect("under the root").display();
        let lines = fs::read_to_string(&path)
            .expect("a readable file")
            .lines()
            .count();
        assert!(lines <= 500, "{shown} has {lines} lines");
        let name = path
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or_default();
        let empty = [
            "util", "utils", "common", "helper", "helpers", "misc", "base", "manager",
        ];
        assert!(
            !empty.contains(&name),
            "{shown} has a name that says nothing"
        );
    }
}

/// A file that does not fit on a screen or two says at its top what it is for, and what must stay true of it.
#[test]
fn long_files_say_what_they_are_for() {
    let mut folders = TRUNKS.to_vec();
    folders.extend(["tests", "bench", "cdc/tests", "connect/tests"]);
    folders.extend(["lakewriter/tests", "console/tests", "generator/tests"]);
    let silent: Vec<String> = sources_under(&folders)
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).expect("a readable file");
            text.lines().count() > 150 && !text.starts_with("//!")
        })
        .map(|path| path.display().to_string())
        .collect();
    assert_eq!(silent, [""; 0]);
}
