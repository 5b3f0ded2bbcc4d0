//! Commands as they are printed: what is shown can be pasted into the shell that the program was called from.

use std::borrow::Cow;

/// The name or path by which this program was called.
pub fn program() -> String {
    let name = std::env::args_os().next().unwrap_or_default();
    match name.to_string_lossy() {
        name if name.is_empty() => env!("CARGO_PKG_NAME").to_owned(),
        name => quoted(&name).into_owned(),
    }
}

/// A word as a POSIX shell reads it.
pub fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shell_reads_a_quoted_word_as_it_was() {
        for word in [
            "data/demo",
            "my lake",
            "it's",
            "$HOME `x` \"y\"",
            "",
            "*",
            "~",
        ] {
            let output = std::process::Command::new("sh")
                .arg("-c")
                .arg(format!("printf %s {}", quoted(word)))
                .output()
                .expect("run sh");
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }
}
