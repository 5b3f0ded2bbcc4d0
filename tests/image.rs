//! What of deploy/Dockerfile can be proved without a container engine.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The lines of the file, with those that are continued joined.
fn instructions() -> Result<Vec<String>> {
    let text = fs::read_to_string(root().join("deploy/Dockerfile"))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    Ok(joined.lines().map(str::to_owned).collect())
}

/// Sources and target of `COPY a b target`.
fn copied(instruction: &str) -> Option<(Vec<&str>, &str)> {
    let words: Vec<&str> = instruction
        .strip_prefix("COPY ")?
        .split_whitespace()
        .collect();
    let (target, sources) = words.split_last()?;
    (!sources.first()?.starts_with("--")).then(|| (sources.to_vec(), *target))
}

/// The layer of dependencies: the manifests that are copied, with empty sources, are a whole workspace.
#[test]
fn the_layer_of_dependencies_is_a_workspace() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut packages = BTreeSet::new();
    for instruction in instructions()? {
        let Some((sources, target)) = copied(&instruction) else {
            continue;
        };
        if sources == ["."] {
            break;
        }
        let target = folder.path().join(target.trim_start_matches("./"));
        fs::create_dir_all(&target)?;
        for source in sources {
            let source = PathBuf::from(source);
            let name = source.file_name().context("a file")?;
            fs::copy(root().join(&source), target.join(name))
                .with_context(|| format!("copy {}", source.display()))?;
        }
        packages.insert(target);
    }
    for package in &packages {
        fs::create_dir_all(package.join("src"))?;
        fs::write(package.join("src/lib.rs"), "")?;
        fs::write(package.join("src/main.rs"), "fn main() {}")?;
    }
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--workspace",
            "--offline",
            "--locked",
            "--depth",
            "1",
        ])
        .current_dir(folder.path())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{errors}");
    Ok(())
}

/// Without a command the image is a worker that others can reach, and Debezium's variables move it.
#[test]
fn the_image_is_a_worker() -> Result<()> {
    let instructions = instructions()?;
    for wanted in [
        "ENV REST_HOST_NAME=0.0.0.0",
        "EXPOSE 8083",
        "ENTRYPOINT [\"tributary\"]",
        "CMD [\"cdc\"]",
    ] {
        ensure!(instructions.iter().any(|line| line == wanted), "{wanted}");
    }
    ensure!(
        !instructions.iter().any(|line| line.contains("TRIBUTARY_")),
        "settings of ours would go over those of the environment"
    );
    Ok(())
}

/// The binary in the image has no symbols, and they are kept apart; it is built by the profile that is made for it.
#[test]
fn the_image_carries_a_stripped_binary() -> Result<()> {
    let instructions = instructions()?;
    let built = instructions
        .iter()
        .filter(|line| line.contains("cargo build"));
    let built: Vec<&String> = built.collect();
    ensure!(
        built.len() == 2 && built.iter().all(|line| line.contains("--profile image ")),
        "both layers are built by one profile, or the second builds all again: {built:?}"
    );
    let last = built.last().context("a build")?;
    for wanted in [
        "objcopy --only-keep-debug",
        "strip --strip-all",
        "--add-gnu-debuglink",
        "root-filesystem.sh tributary /image",
    ] {
        ensure!(last.contains(wanted), "{wanted}");
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    ensure!(manifest.contains("[profile.image]"), "no such profile");
    for wanted in [
        "COPY --from=build /build/target/image/tributary.debug /",
        "FROM scratch",
        "COPY --from=build /image /",
    ] {
        ensure!(instructions.iter().any(|line| line == wanted), "{wanted}");
    }
    Ok(())
}

/// What the image consists of is enough for the binary: it runs where there is nothing else.
#[test]
fn the_binary_runs_in_the_images_file_system() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let image = folder.path().join("image");
    let output = Command::new(root().join("deploy/root-filesystem.sh"))
        .arg(env!("CARGO_BIN_EXE_tributary"))
        .arg(&image)
        .output()?;
    ensure!(output.status.success(), "{output:?}");
    for (arguments, want) in [
        (&["--version"][..], "tributary "),
        (&["config"], "kafka.bootstrap_servers"),
    ] {
        // Another root folder is root's to give; anybody may be that in a namespace of its own.
        let mut command = if rustix::process::geteuid().is_root() {
            Command::new("chroot")
        } else {
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "chroot"]);
            command
        };
        let output = command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .arg(&image)
            .arg("/usr/local/bin/tributary")
            .args(arguments)
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success() && said.contains(want), "{output:?}");
    }
    let certificates = image.join("usr/lib/ssl/certs");
    ensure!(
        fs::symlink_metadata(certificates)?.is_symlink(),
        "no certificates"
    );
    Ok(())
}
