//! The lake: whether it can be reached and written, and whether its store really refuses to overwrite.

use std::path::{Path, PathBuf};

use lakewriter::{ErrorKind, Lake, LakeConfig};

use super::{finding::Finding, report::Report};
use crate::invocation::{program, quoted};

pub async fn look(config: &LakeConfig, report: &mut Report) {
    let mut proved = config.clone();
    let is_new = match missing_folder(&config.url) {
        Some(above) => {
            // The folder is made by whoever writes first; what it will stand in is tried in its place.
            proved.url = above.display().to_string();
            true
        }
        None => false,
    };
    let tried = async {
        lakewriter::lake::check_certificate(&proved).await?;
        Lake::prove(Lake::connect(&proved)?).await
    };
    let error = match tried.await {
        Ok(_) => {
            let state = if is_new {
                "is not there yet: the first start makes it"
            } else {
                "can be written, and refuses to overwrite"
            };
            report.fact("lake", format!("{} {state}", config.place()));
            return;
        }
        Err(error) => error,
    };
    let text = service::render_error(&error, None);
    if text.contains("NoSuchBucket") || error.hint().contains("bucket create") {
        let endpoint = config
            .endpoint
            .as_ref()
            .map(|endpoint| format!("TRIBUTARY_LAKE__ENDPOINT={} ", quoted(endpoint)));
        report.add(
            Finding::error(
                "bucket-missing",
                format!("The bucket of {} is not there.", config.place()),
            )
            .means("Nothing can be written before it is made.")
            .command([format!(
                "{}TRIBUTARY_LAKE__URL={} {} bucket create",
                endpoint.unwrap_or_default(),
                quoted(&config.url),
                program()
            )]),
        );
        return;
    }
    let told = super::report::one_line(text.trim_start_matches("error: "));
    let (code, means) = match error.kind() {
        ErrorKind::UnsafeStore => (
            "store-overwrites",
            "Two writers could both believe that they committed: no writer starts on such a store.",
        ),
        ErrorKind::Permission => ("lake-refused", "Nothing can be written there."),
        ErrorKind::Configuration
        | ErrorKind::Storage
        | ErrorKind::Table
        | ErrorKind::Fenced
        | ErrorKind::Kafka
        | ErrorKind::OffsetsLost
        | ErrorKind::Encode
        | ErrorKind::Defect => {
            report.refused(
                "lake-unreachable",
                "The lake cannot be written",
                &told,
                error.hint(),
            );
            return;
        }
    };
    report.add(
        Finding::error(
            code,
            format!("The lake at {} cannot be used: {told}.", config.place()),
        )
        .means(means)
        .words(error.hint()),
    );
}

/// The nearest folder above one that is not there; None where it is there, or is none of this machine's disks.
fn missing_folder(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("file://").unwrap_or(url);
    if path.contains("://") {
        return None;
    }
    let path = std::path::absolute(path).ok()?;
    if path.exists() {
        return None;
    }
    path.ancestors()
        .find(|above| above.is_dir())
        .map(Path::to_owned)
}
