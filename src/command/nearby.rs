//! The lake that `tributary sql` stands beside: a demo's or a stack's, in the folder it is called in or in the checkout
//! that it was built in.

use std::path::{Path, PathBuf};

use crate::settings::Settings;
use crate::{failure::Failure, invocation::quoted};

/// Where `make stack` writes how its lake is reached, for as long as it is up.
const STACK: &str = "data/stack/lake.toml";

/// Where `make demo` has its lake.
const DEMO: &str = "data/demo/lake";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Nearby {
    /// The default of lake.url.
    Usual(PathBuf),
    /// A settings file.
    Stack(PathBuf),
    Demo(PathBuf),
}

impl Nearby {
    fn whose(&self) -> String {
        match self {
            Self::Usual(folder) => format!("the one in {}", folder.display()),
            Self::Stack(file) => format!("the stack's, as {} says", file.display()),
            Self::Demo(folder) => format!("the demo's in {}", folder.display()),
        }
    }

    fn option(&self) -> String {
        match self {
            Self::Usual(folder) | Self::Demo(folder) => {
                format!("--lake {}", quoted(&folder.display().to_string()))
            }
            Self::Stack(file) => format!("--config {}", quoted(&file.display().to_string())),
        }
    }
}

/// Where nothing says which lake, take one that is there, and tell on standard error which one.
///
/// # Errors
/// There is none, or the stack's settings cannot be read.
pub fn choose(settings: &mut Settings) -> Result<(), Failure> {
    if settings.is_set("lake.url") {
        return Ok(());
    }
    let usual = settings.get("lake.url").unwrap_or_default().to_owned();
    let bases = bases(std::env::current_exe().ok().as_deref());
    let mut found = nearby(&usual, &bases).into_iter();
    let Some(first) = found.next() else {
        let looked: Vec<String> = bases
            .iter()
            .map(|base| base.join("data").display().to_string())
            .collect();
        return Err(Failure::Refused {
            what: format!(
                "find a lake: there is none of a demo, a stack or a writer in {}",
                looked.join(" or ")
            ),
            hint: "name one with --lake, as --lake s3://bucket or --lake data/demo/lake".to_owned(),
        });
    };
    let others: String = found
        .map(|other| format!("; {} takes {}", other.option(), other.whose()))
        .collect();
    eprintln!("lake: {}{others}", first.whose());
    match first {
        Nearby::Usual(folder) | Nearby::Demo(folder) => {
            settings.set_flag("lake.url", Some(folder.display()))?;
        }
        Nearby::Stack(file) => settings.fill_in(&file)?,
    }
    Ok(())
}

/// The working folder, and the checkout of a program that stands in `target/<profile>`.
fn bases(program: Option<&Path>) -> Vec<PathBuf> {
    let checkout = program.and_then(|program| {
        let target = program.ancestors().nth(2)?;
        (target.file_name()? == "target").then(|| target.parent())?
    });
    let mut bases = vec![PathBuf::new()];
    let here = std::env::current_dir().ok();
    bases.extend(
        checkout
            .filter(|checkout| here.as_deref() != Some(*checkout))
            .map(Path::to_owned),
    );
    bases
}

/// What is there, the nearest first: the working folder before the checkout; in each, what runs before what stayed.
fn nearby(usual: &str, bases: &[PathBuf]) -> Vec<Nearby> {
    let mut found = Vec::new();
    for base in bases {
        let usual = base.join(usual);
        if usual.is_dir() {
            found.push(Nearby::Usual(usual));
        }
        let stack = base.join(STACK);
        if stack.is_file() {
            found.push(Nearby::Stack(stack));
        }
        let demo = base.join(DEMO);
        if demo.is_dir() {
            found.push(Nearby::Demo(demo));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_lake_is_the_working_folders() {
        let place = tempfile::tempdir().expect("folder");
        let (here, checkout) = (place.path().join("here"), place.path().join("checkout"));
        let bases = [here.clone(), checkout.clone()];
        assert!(nearby("data/lake", &bases).is_empty());

        let theirs = checkout.join(DEMO);
        std::fs::create_dir_all(&theirs).expect("make");
        assert_eq!(nearby("data/lake", &bases), [Nearby::Demo(theirs.clone())]);

        let (mine, stack) = (here.join(DEMO), here.join(STACK));
        std::fs::create_dir_all(&mine).expect("make");
        std::fs::create_dir_all(here.join("data/stack")).expect("make");
        std::fs::write(&stack, "").expect("write");
        assert_eq!(
            nearby("data/lake", &bases),
            [
                Nearby::Stack(stack),
                Nearby::Demo(mine),
                Nearby::Demo(theirs)
            ]
        );
    }

    #[test]
    fn the_checkout_is_that_of_the_build_folder() {
        let built = Path::new("/src/tributary/target/debug/tributary");
        assert_eq!(bases(Some(built))[1..], [PathBuf::from("/src/tributary")]);
        let installed = Path::new("/home/me/.local/bin/tributary");
        assert_eq!(bases(Some(installed)).len(), 1);
    }
}
