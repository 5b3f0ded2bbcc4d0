//! Files of one crate do not import each other in a circle: one that is in a circle can be understood, moved and tested
//! only with all the others.
//!
//! What counts is where a name is defined: names that another file passes on (`pub use`) are followed to their own file. A
//! part may name what its own whole has, so what `a/b.rs` takes from `a.rs` is no part of a circle; what it takes from
//! `a/c.rs` is. Tests may name anything.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

#[path = "house/trunks.rs"]
mod trunks;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use regex::Regex;
use trunks::TRUNKS;

/// `a::b` as its parts. A module of the crate is named from the crate's root.
type Names = Vec<String>;

/// The files of a crate by their modules.
struct Crate {
    texts: BTreeMap<Names, String>,
    /// What each file imports, by the name that it has there.
    imports: BTreeMap<Names, BTreeMap<String, Vec<Names>>>,
}

impl Crate {
    fn read(folder: &Path) -> Self {
        let mut texts = BTreeMap::new();
        gather(folder, &Vec::new(), &mut texts);
        Self::of(texts)
    }

    fn of(texts: BTreeMap<Names, String>) -> Self {
        let texts: BTreeMap<Names, String> = texts
            .into_iter()
            .map(|(module, text)| (module, code_of(&text)))
            .collect();
        let statement = Regex::new(r"\buse\s+([^;]+);").expect("a pattern");
        let imports = texts
            .iter()
            .map(|(module, text)| {
                let mut imported: BTreeMap<String, Vec<Names>> = BTreeMap::new();
                for found in statement.captures_iter(text) {
                    for (name, path) in leaves(&found[1]) {
                        imported.entry(name).or_default().push(path);
                    }
                }
                (module.clone(), imported)
            })
            .collect();
        Self { texts, imports }
    }

    /// The file in which what `path` names, written in `module`, is defined. None: it is in another crate.
    fn home(
        &self,
        module: &[String],
        path: &[String],
        seen: &mut BTreeSet<Names>,
    ) -> Option<Names> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (Vec::new(), &path[1..]),
            "self" => (module.to_vec(), &path[1..]),
            "super" => {
                let up = path.iter().take_while(|name| *name == "super").count();
                (module[..module.len() - up].to_vec(), &path[up..])
            }
            first => {
                let mut below = module.to_vec();
                below.push(first.to_owned());
                if !self.texts.contains_key(&below) {
                    return None;
                }
                (module.to_vec(), path)
            }
        };
        while let [name, further @ ..] = rest {
            let mut below = at.clone();
            below.push(name.clone());
            if !self.texts.contains_key(&below) {
                break;
            }
            (at, rest) = (below, further);
        }
        let Some(name) = rest.first() else {
            return Some(at);
        };
        let mut passed = at.clone();
        passed.push(name.clone());
        if seen.insert(passed)
            && let Some(path) = self.imports[&at].get(name).and_then(|paths| paths.first())
        {
            let path: Names = path.iter().chain(&rest[1..]).cloned().collect();
            return self.home(&at, &path, seen);
        }
        Some(at)
    }

    /// The files that each file names something of, but for its own wholes.
    fn named(&self) -> BTreeMap<&Names, BTreeSet<Names>> {
        let path = Regex::new(r"[A-Za-z_]\w*(?:::\w+)+").expect("a pattern");
        let statement = Regex::new(r"\buse\s+[^;]+;").expect("a pattern");
        let mut all = BTreeMap::new();
        for (module, text) in &self.texts {
            let imported = &self.imports[module];
            let mut paths: Vec<Names> = imported.values().flatten().cloned().collect();
            for found in path.find_iter(&statement.replace_all(text, "")) {
                let names: Names = found.as_str().split("::").map(str::to_owned).collect();
                // `a::b` where `a` was imported.
                let longer = imported.get(&names[0]).into_iter().flatten();
                paths.extend(longer.map(|path| path.iter().chain(&names[1..]).cloned().collect()));
                paths.push(names);
            }
            let homes = paths
                .iter()
                .filter_map(|path| self.home(module, path, &mut BTreeSet::new()))
                .filter(|home| !module.starts_with(home))
                .collect();
            all.insert(module, homes);
        }
        all
    }

    /// Files that can be reached from themselves, each with those of them that it names.
    fn circles(&self) -> Vec<String> {
        let named = self.named();
        let reached = |from: &Names| {
            let mut all = BTreeSet::new();
            let mut next: Vec<&Names> = named[from].iter().collect();
            while let Some(file) = next.pop() {
                if all.insert(file) {
                    next.extend(&named[file]);
                }
            }
            all
        };
        let reached: BTreeMap<&Names, BTreeSet<&Names>> =
            named.keys().map(|file| (*file, reached(file))).collect();
        let in_circle = named.keys().filter(|file| reached[**file].contains(**file));
        in_circle
            .map(|file| {
                let back = named[*file].iter().filter(|it| reached[it].contains(*file));
                let back: Vec<String> = back.map(|it| it.join("::")).collect();
                format!("{} names {}", file.join("::"), back.join(", "))
            })
            .collect()
    }
}

fn gather(folder: &Path, module: &Names, texts: &mut BTreeMap<Names, String>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|it| it.to_str()).expect("a name");
        let mut below = module.clone();
        if path.is_dir() {
            below.push(name.to_owned());
            gather(&path, &below, texts);
        } else if path.extension().is_some_and(|it| it == "rs") && !name.ends_with("tests") {
            if !["lib", "main", "mod"].contains(&name) {
                below.push(name.to_owned());
            }
            let text = fs::read_to_string(&path).expect("a readable file");
            texts.insert(below, text);
        }
    }
}

/// Without comments and without the tests at its end.
fn code_of(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The paths of an import, taken out of their braces, each with the name that it gives.
fn leaves(tree: &str) -> Vec<(String, Names)> {
    let tree = tree.trim();
    if let Some((before, list)) = tree.split_once('{') {
        let list = list.strip_suffix('}').unwrap_or(list);
        let before: Names = names(before.trim_end().trim_end_matches("::"));
        let (mut found, mut depth, mut begin) = (Vec::new(), 0, 0);
        for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    found.extend(leaves(&list[begin..at]));
                    begin = at + 1;
                }
                _ => {}
            }
        }
        let prefixed = found.into_iter().map(|(name, path)| {
            let path: Names = before.iter().cloned().chain(path).collect();
            match name.as_str() {
                "self" => {
                    let path = path[..path.len() - 1].to_vec();
                    (path.last().cloned().unwrap_or_default(), path)
                }
                _ => (name, path),
            }
        });
        return prefixed.collect();
    }
    let (path, name) = tree
        .split_once(" as ")
        .map_or((tree, None), |(path, name)| (path, Some(name)));
    let path = names(path);
    match (name, path.last()) {
        (Some(name), _) => vec![(name.trim().to_owned(), path)],
        (None, Some(last)) => vec![(last.clone(), path.clone())],
        (None, None) => Vec::new(),
    }
}

fn names(path: &str) -> Names {
    let parts = path.split("::").map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in TRUNKS {
        let circles = Crate::read(&root.join(folder)).circles();
        found.extend(circles.into_iter().map(|it| format!("{folder}: {it}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_circle_is_seen_through_what_passes_names_on() {
    let texts = |files: &[(&str, &str)]| {
        let files = files
            .iter()
            .map(|(module, text)| (names(module), (*text).to_owned()));
        Crate::of(files.collect()).circles()
    };
    let root = (
        "",
        "mod a;\nmod b;\npub use a::One;\npub use b::{self, Two as Second};",
    );
    let one = ("a", "use crate::{Other, Second};\npub struct One(Second);");
    assert_eq!(
        texts(&[
            root,
            one,
            (
                "b",
                "// crate::One\npub struct Two;\nfn f() { crate::a::One; }"
            )
        ]),
        ["a names b", "b names a"]
    );
    let tested = "pub struct Two;\n#[cfg(test)]\nmod tests {\nuse crate::One;\n}";
    assert_eq!(texts(&[root, one, ("b", tested)]), [""; 0]);
    // A part and its whole.
    let whole = ("a", "mod part;\nuse part::Part;\npub struct One(Part);");
    let part = ("a::part", "use super::One;\npub struct Part(One);");
    assert_eq!(
        texts(&[root, whole, part, ("b", "pub struct Two;")]),
        [""; 0]
    );
    // Two parts of one whole, the one by a module's name.
    let other = (
        "a::other",
        "use super::part;\npub struct Other(part::Part);",
    );
    let part = ("a::part", "pub struct Part(super::other::Other);");
    assert_eq!(
        texts(&[root, whole, part, other, ("b", "pub struct Two;")]),
        ["a::other names a::part", "a::part names a::other"]
    );
}
