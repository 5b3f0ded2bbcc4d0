use crate::{
    current::{Change, Current},
    deletion_vector::{VectorFile, VectorWriter},
    error::Error,
    rows::{by_file, records},
};

/// What a commit does so that these rows are no more.
pub(crate) fn deletions(
    relative: &str,
    current: &Current,
    gone: &[u64],
) -> Result<(Vec<Change>, Option<VectorFile>), Error> {
    let mut whole = Vec::new();
    let mut partly = Vec::new();
    let mut writer = VectorWriter::default();
    for (file, rows) in by_file(gone) {
        let missing = || Error::new(format!("find a file of `{relative}` that is active"));
        let data = current.files.get(&file).ok_or_else(missing)?;
        let mut deleted = data.deleted.clone();
        deleted.add(&rows);
        if records(data) == Some(deleted.count()) {
            whole.push(Change {
                file,
                deleted: None,
            });
        } else {
            writer.push(&deleted)?;
            partly.push((file, deleted));
        }
    }
    let written = writer.finish()?;
    let partly = partly.into_iter().zip(written.descriptors);
    whole.extend(partly.map(|((file, deleted), descriptor)| Change {
        file,
        deleted: Some((deleted, descriptor)),
    }));
    Ok((whole, written.file))
}
