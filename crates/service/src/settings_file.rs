//! Files that a setting names. Whoever may post a connector chooses the path, so it may lead to a device that never ends,
//! a pipe that nobody writes to, or a disk image.
//!
//! Invariant: at most `LARGEST` bytes are read, of a regular file, and nothing is waited for. The opened file is looked at,
//! not the path, which may lead elsewhere a moment later.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::OFlags;

/// More than any certificate, key, secret or list of users has.
const LARGEST: u64 = 1 << 20;

/// The bytes of a file that a setting names.
///
/// # Errors
/// It cannot be opened, is no regular file, or holds more than 1 MiB.
pub fn read_settings_file(path: &Path) -> io::Result<Vec<u8>> {
    let file = open_settings_file(path)?;
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err(too_large());
    }
    Ok(bytes)
}

/// As `read_settings_file`, as text without the line breaks at its end, as secrets are kept in files.
///
/// # Errors
/// As `read_settings_file`; or it is no UTF-8.
pub fn read_secret_file(path: &Path) -> io::Result<String> {
    let text = String::from_utf8(read_settings_file(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no text in UTF-8"))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn open_settings_file(path: &Path) -> io::Result<File> {
    // A pipe that nobody writes to would be waited for when it is opened.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        ));
    }
    if found.len() > LARGEST {
        return Err(too_large());
    }
    Ok(file)
}

fn too_large() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "it is larger than 1 MiB, and files that settings name are small",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_regular_files_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "secret \r\n\n").expect("written");
        assert_eq!(read_secret_file(&path).expect("text"), "secret ");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        assert_eq!(read_settings_file(&link).expect("bytes").len(), 10);
        for path in ["/dev/zero", "/dev/null", "/"] {
            let error = read_settings_file(Path::new(path)).expect_err("refused");
            assert_eq!(error.to_string(), "it is no regular file", "{path}");
        }
        let sized = |size: u64| {
            let file = File::create(&path).expect("a file");
            file.set_len(size).expect("grown");
            read_settings_file(&path).map(|bytes| bytes.len())
        };
        assert_eq!(sized(LARGEST).expect("bytes"), 1 << 20);
        let error = sized(LARGEST + 1).expect_err("refused");
        assert!(error.to_string().contains("1 MiB"), "{error}");
        std::fs::write(&path, b"\xff").expect("written");
        assert!(read_secret_file(&path).is_err());
    }
}
