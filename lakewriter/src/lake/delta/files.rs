//! The files of a table: those that readers read, and those that a commit took away.

use std::{collections::HashMap, sync::Arc};

use arrow::datatypes::{Schema, SchemaRef};
use buoyant_kernel::actions::deletion_vector::DeletionVectorDescriptor as KernelVector;
use deltalake_core::{
    checkpoints::cleanup_expired_logs_for,
    kernel::{DeletionVectorDescriptor, LogicalFileView},
};
use futures::TryStreamExt as _;

use super::LakeTable;
use crate::{
    Error, ErrorKind,
    error::{delta_error, task_ended},
};

impl LakeTable {
    /// The files that readers of the version that was read last read.
    pub(crate) fn files(&self) -> Vec<LogicalFileView> {
        self.state.log_data().iter().collect()
    }

    /// The columns that stand in files: all but those by which the files are sorted into folders.
    pub(crate) fn file_schema(&self) -> SchemaRef {
        let partitions = self.state.metadata().partition_columns();
        let all = self.state.snapshot().arrow_schema();
        let fields = all.fields().iter();
        let fields = fields.filter(|field| !partitions.contains(field.name()));
        Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
    }

    /// The places of the rows that a deletion vector hides, in their order.
    ///
    /// # Errors
    /// The store's, or `Table` where the vector cannot be read.
    pub(crate) async fn hidden_rows(
        &self,
        vector: DeletionVectorDescriptor,
    ) -> Result<Vec<u64>, Error> {
        let attempted = format!("read a deletion vector of `{}`", self.relative);
        let vector = KernelVector::try_from(vector)
            .map_err(|error| Error::new(ErrorKind::Table, attempted.clone()).with_source(error))?;
        let root = self.log_store.root_url().clone();
        let storage = self.log_store.engine(None).storage_handler();
        // The library waits for the store in the calling thread.
        let read = tokio::task::spawn_blocking(move || vector.row_indexes(storage, &root)).await;
        let rows = read.map_err(|error| task_ended(attempted.clone(), error))?;
        rows.map_err(|error| Error::new(ErrorKind::Table, attempted).with_source(error))
    }

    /// Files that commits took away and that older versions still need: path, and when, in milliseconds since the Unix
    /// epoch, where it was told.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn taken_away(&self) -> Result<HashMap<String, Option<i64>>, Error> {
        let taken = self.state.all_tombstones(&self.log_store);
        taken
            .map_ok(|file| (file.path().into_owned(), file.deletion_timestamp()))
            .try_collect()
            .await
            .map_err(|error| {
                delta_error(
                    format!("read which files `{}` has given up", self.relative),
                    error,
                )
            })
    }

    /// Delete entries of the log and checkpoints that were written before `cutoff_millis` (since the Unix epoch) and that
    /// no later version needs: how many.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn delete_expired_entries(&self, cutoff_millis: i64) -> Result<usize, Error> {
        cleanup_expired_logs_for(self.version, &self.log_store, cutoff_millis, None)
            .await
            .map_err(|error| {
                delta_error(
                    format!("delete old entries of the log of `{}`", self.relative),
                    error,
                )
            })
    }
}
