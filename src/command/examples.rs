//! The examples in the help: they name the program as it was called, so that they can be pasted.

use clap::Command;

/// The examples of a command and of those below it, with `program` in the place of `tributary`.
pub fn called_as(command: Command, program: &str) -> Command {
    let help = command.get_after_help().map(|help| {
        let help = help.to_string();
        let lines = help.lines().map(|line| renamed(line, program));
        lines.collect::<Vec<_>>().join("\n")
    });
    let command = match help {
        Some(help) => command.after_help(help),
        None => command,
    };
    command.mut_subcommands(|below| called_as(below, program))
}

/// A line that is a command: the name stands first, or behind variables.
fn renamed(line: &str, program: &str) -> String {
    const NAME: &str = "tributary ";
    let words = line.trim_start();
    if words.starts_with(NAME) || words.starts_with("TRIBUTARY_") {
        return line.replacen(NAME, &format!("{program} "), 1);
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::command::Arguments;

    /// The commands of a text, those over several lines joined.
    fn commands(text: &str) -> Vec<String> {
        let text = text.replace("\\\n", " ");
        text.lines()
            .map(str::trim)
            .filter(|line| line.starts_with("tributary ") || line.contains(" tributary "))
            .filter_map(|line| {
                let assigns = |word: &str| {
                    word.split_once('=').is_some_and(|(name, _)| {
                        name.chars()
                            .all(|c| c.is_ascii_uppercase() || "_0123456789".contains(c))
                    })
                };
                let at = line.find("tributary ")?;
                let before = line.get(..at)?;
                before
                    .split_whitespace()
                    .all(assigns)
                    .then(|| line.get(at..))?
            })
            .map(str::to_owned)
            .collect()
    }

    /// Its words as a shell makes them; what follows a redirection is not the program's.
    fn words(command: &str) -> Vec<String> {
        let command = command.split(" > ").next().unwrap_or_default();
        let script = format!("set -f; words() {{ printf '%s\\0' \"$@\"; }}; words {command}");
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .expect("run sh");
        assert!(output.status.success(), "{command}: {output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        text.split_terminator('\0').map(str::to_owned).collect()
    }

    fn helps(command: &Command, out: &mut Vec<String>) {
        out.extend(command.get_after_help().map(ToString::to_string));
        command
            .get_subcommands()
            .for_each(|below| helps(below, out));
    }

    /// The fenced blocks of a page.
    fn fenced(page: &str) -> String {
        page.split("```")
            .skip(1)
            .step_by(2)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn every_example_is_a_command_line_that_can_be() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut texts = Vec::new();
        helps(&Arguments::command(), &mut texts);
        let pages = std::fs::read_dir(root.join("docs")).expect("docs");
        let pages = pages.map(|entry| entry.expect("an entry").path());
        for page in pages.chain([root.join("README.md")]) {
            if page.extension().is_some_and(|extension| extension == "md") {
                texts.push(fenced(&std::fs::read_to_string(&page).expect("a page")));
            }
        }
        let examples: Vec<String> = texts.iter().flat_map(|text| commands(text)).collect();
        assert!(examples.len() > 15, "{examples:?}");
        for example in examples {
            let parsed = Arguments::try_parse_from(words(&example));
            assert!(
                parsed.is_ok(),
                "`{example}`: {}",
                parsed.err().map_or_else(String::new, |e| e.to_string())
            );
        }
    }

    /// Paths below these are there once something was run; whoever reads an example makes what is in capitals.
    fn is_made(path: &str) -> bool {
        path.starts_with("data/")
            || path
                .chars()
                .all(|c| c.is_ascii_uppercase() || "_/".contains(c))
    }

    #[test]
    fn what_an_example_names_is_there_or_is_to_be_put_in() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut texts = Vec::new();
        helps(&Arguments::command(), &mut texts);
        let mut named = Vec::new();
        for example in texts.iter().flat_map(|text| commands(text)) {
            let words = words(&example);
            for pair in words.windows(2) {
                if ["--connectors", "--config", "--worker-properties"].contains(&pair[0].as_str()) {
                    named.push(pair[1].clone());
                }
            }
            let paths = words
                .iter()
                .skip(1)
                .filter(|word| word.contains('/') && !word.contains(' ') && !word.contains("://"));
            // A rate is written with a slash too.
            named.extend(paths.filter(|word| !word.contains("/s")).cloned());
        }
        for text in &texts {
            let files = text.split('@').skip(1);
            let ends = |c: char| c.is_whitespace() || "'\"".contains(c);
            named.extend(
                files
                    .filter_map(|it| it.split(ends).next())
                    .map(str::to_owned),
            );
        }
        assert!(named.iter().any(|path| path == "FOLDER"), "{named:?}");
        for path in named {
            assert!(is_made(&path) || root.join(&path).exists(), "{path}");
        }
        // Outside of a checkout these are nowhere, and a help is read everywhere.
        for text in texts {
            assert!(!text.contains("deploy/"), "{text}");
        }
    }

    #[test]
    fn examples_name_the_program_as_it_was_called() {
        let help = called_as(Arguments::command(), "target/debug/tributary")
            .find_subcommand("lakewriter")
            .and_then(Command::get_after_help)
            .expect("help")
            .to_string();
        assert!(
            help.contains("\n  target/debug/tributary lakewriter --lake"),
            "{help}"
        );
        assert!(
            help.contains("=SECRET target/debug/tributary lakewriter"),
            "{help}"
        );
    }
}
