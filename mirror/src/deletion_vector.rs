//! Which rows of a file are no more: Delta's deletion vectors, written and read.

use std::{collections::BTreeSet, sync::Arc};

use buoyant_kernel::{
    DeltaResult, FileMeta, FileSlice, StorageHandler,
    actions::{
        deletion_vector::DeletionVectorDescriptor as KernelDescriptor,
        deletion_vector_writer::{
            DeletionVector as _, KernelDeletionVector, StreamingDeletionVectorWriter,
        },
    },
};
use bytes::Bytes;
use deltalake_core::kernel::{DeletionVectorDescriptor, StorageType};
use url::Url;
use uuid::Uuid;

use crate::{
    base85,
    error::{Attempted as _, Error},
};

/// Vectors up to this size stand in the log itself. A larger one costs each reader of the log more than a request.
const LARGEST_INLINE: usize = 256;

/// How a bitmap of this format begins.
const MAGIC: u32 = 1_681_511_377;

/// The rows of a file that are deleted.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeletedRows(KernelDeletionVector);

impl DeletedRows {
    pub(crate) fn add(&mut self, rows: &BTreeSet<u32>) {
        let rows = rows.iter().map(|row| u64::from(*row));
        self.0.add_deleted_row_indexes(rows);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.cardinality()
    }

    /// In ascending order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = u64> {
        self.0.clone().into_iter()
    }
}

/// Deletion vectors of one commit: small ones are in the log, the others in one file.
#[derive(Default)]
pub(crate) struct VectorWriter {
    large: Vec<(usize, KernelDeletionVector)>,
    descriptors: Vec<Option<DeletionVectorDescriptor>>,
}

/// Path below the table's folder, and content.
pub(crate) type VectorFile = (String, Bytes);

/// What became of them.
pub(crate) struct WrittenVectors {
    /// In the order in which they were added.
    pub(crate) descriptors: Vec<DeletionVectorDescriptor>,
    pub(crate) file: Option<VectorFile>,
}

impl VectorWriter {
    pub(crate) fn push(&mut self, rows: &DeletedRows) -> Result<(), Error> {
        let attempted = || "write a deletion vector".to_owned();
        let serialized = rows.0.clone().serialize().attempted(attempted)?;
        if serialized.len() + 4 > LARGEST_INLINE {
            self.large.push((self.descriptors.len(), rows.0.clone()));
            self.descriptors.push(None);
            return Ok(());
        }
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.extend_from_slice(&serialized);
        self.descriptors.push(Some(DeletionVectorDescriptor {
            storage_type: StorageType::Inline,
            path_or_inline_dv: base85::encode(&bytes),
            offset: None,
            size_in_bytes: i32::try_from(bytes.len()).attempted(attempted)?,
            cardinality: i64::try_from(rows.count()).attempted(attempted)?,
        }));
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<WrittenVectors, Error> {
        let attempted = || "write a file of deletion vectors".to_owned();
        let mut file = None;
        if !self.large.is_empty() {
            let name = Uuid::new_v4();
            let mut bytes = Vec::new();
            let mut writer = StreamingDeletionVectorWriter::new(&mut bytes);
            for (at, rows) in std::mem::take(&mut self.large) {
                let written = writer.write_deletion_vector(rows).attempted(attempted)?;
                if let Some(place) = self.descriptors.get_mut(at) {
                    *place = Some(DeletionVectorDescriptor {
                        storage_type: StorageType::UuidRelativePath,
                        path_or_inline_dv: base85::encode(name.as_bytes()),
                        offset: Some(written.offset),
                        size_in_bytes: written.size_in_bytes,
                        cardinality: written.cardinality,
                    });
                }
            }
            writer.finalize().attempted(attempted)?;
            file = Some((format!("deletion_vector_{name}.bin"), bytes.into()));
        }
        let pushed = self.descriptors.len();
        let descriptors: Vec<_> = self.descriptors.into_iter().flatten().collect();
        if descriptors.len() != pushed {
            return Err(Error::new("write a deletion vector for each file"));
        }
        Ok(WrittenVectors { descriptors, file })
    }
}

/// The path of the file that a vector is in, below the table's URL. None: it is in the log.
pub(crate) fn path(
    descriptor: &DeletionVectorDescriptor,
    table: &Url,
) -> Result<Option<String>, Error> {
    let attempted = || "read where a deletion vector is".to_owned();
    let kernel = KernelDescriptor::try_from(descriptor.clone()).attempted(attempted)?;
    let Some(url) = kernel.absolute_path(table).attempted(attempted)? else {
        return Ok(None);
    };
    match url.as_str().strip_prefix(table.as_str()) {
        Some(path) => Ok(Some(path.to_owned())),
        None => Err(Error::new(format!(
            "read a deletion vector outside of its table, at `{url}`"
        ))),
    }
}

/// The rows that a vector deletes. `file`: what is at [`path`].
pub(crate) fn read(
    descriptor: &DeletionVectorDescriptor,
    table: &Url,
    file: Option<Bytes>,
) -> Result<DeletedRows, Error> {
    let attempted = || "read a deletion vector".to_owned();
    let kernel = KernelDescriptor::try_from(descriptor.clone()).attempted(attempted)?;
    let file = Arc::new(Fetched(file.unwrap_or_default()));
    let rows = kernel.read(file, table).attempted(attempted)?;
    let mut deleted = DeletedRows::default();
    deleted.0.add_deleted_row_indexes(rows);
    if deleted.count() != descriptor.cardinality.cast_unsigned() {
        return Err(Error::new(format!(
            "read a deletion vector of {} rows: it has {}",
            descriptor.cardinality,
            deleted.count()
        )));
    }
    Ok(deleted)
}

/// A store of one file.
struct Fetched(Bytes);

impl StorageHandler for Fetched {
    fn list_from(&self, _: &Url) -> DeltaResult<Box<dyn Iterator<Item = DeltaResult<FileMeta>>>> {
        Ok(Box::new(std::iter::empty()))
    }

    fn read_files(
        &self,
        files: Vec<FileSlice>,
    ) -> DeltaResult<Box<dyn Iterator<Item = DeltaResult<Bytes>>>> {
        let bytes = self.0.clone();
        Ok(Box::new(files.into_iter().map(move |_| Ok(bytes.clone()))))
    }

    fn copy_atomic(&self, _: &Url, to: &Url) -> DeltaResult<()> {
        Err(buoyant_kernel::Error::generic(format!(
            "write `{to}`: only reads"
        )))
    }

    fn put(&self, path: &Url, _: Bytes, _: bool) -> DeltaResult<()> {
        Err(buoyant_kernel::Error::generic(format!(
            "write `{path}`: only reads"
        )))
    }

    fn delete(&self, path: &Url) -> DeltaResult<()> {
        Err(buoyant_kernel::Error::generic(format!(
            "delete `{path}`: only reads"
        )))
    }

    fn head(&self, path: &Url) -> DeltaResult<FileMeta> {
        Err(buoyant_kernel::Error::generic(format!(
            "look at `{path}`: only reads"
        )))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    fn round_trip(sets: &[BTreeSet<u32>]) -> Vec<(StorageType, Vec<u64>)> {
        let table = Url::parse("file:///lake/t/current/").expect("a URL");
        let mut writer = VectorWriter::default();
        for rows in sets {
            let mut deleted = DeletedRows::default();
            deleted.add(rows);
            writer.push(&deleted).expect("written");
        }
        let written = writer.finish().expect("written");
        let descriptors = written.descriptors.iter();
        let read = descriptors.map(|descriptor| {
            let path = path(descriptor, &table).expect("a path");
            assert_eq!(
                path.as_ref(),
                written
                    .file
                    .as_ref()
                    .map(|(path, _)| path)
                    .filter(|_| path.is_some())
            );
            let file = path.and(written.file.clone()).map(|(_, bytes)| bytes);
            let deleted = read(descriptor, &table, file).expect("read");
            (descriptor.storage_type, deleted.rows().collect())
        });
        read.collect()
    }

    #[test]
    fn small_ones_are_in_the_log_and_large_ones_in_one_file() {
        let large: BTreeSet<u32> = (0..5_000).map(|row| row * 7).collect();
        let sets = [
            BTreeSet::from([0]),
            large.clone(),
            BTreeSet::from([3, 4_000_000_000]),
            large,
        ];
        let kinds: Vec<StorageType> = round_trip(&sets)
            .into_iter()
            .map(|(kind, _)| kind)
            .collect();
        assert_eq!(
            kinds,
            [
                StorageType::Inline,
                StorageType::UuidRelativePath,
                StorageType::Inline,
                StorageType::UuidRelativePath
            ]
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(sets in prop::collection::vec(btree_set(0_u32..3_000_000, 1..400), 1..5)) {
            let read = round_trip(&sets);
            for (rows, (_, read)) in sets.iter().zip(read) {
                prop_assert_eq!(rows.iter().map(|row| u64::from(*row)).collect::<Vec<_>>(), read);
            }
        }
    }
}
