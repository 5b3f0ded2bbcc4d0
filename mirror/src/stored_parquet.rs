//! Parquet on an object store, read in ranges.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture};
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path};
use parquet::{
    arrow::{arrow_reader::ArrowReaderOptions, async_reader::AsyncFileReader},
    errors::{ParquetError, Result},
    file::metadata::{ParquetMetaData, ParquetMetaDataReader},
};

#[derive(Debug)]
pub(crate) struct StoredParquet {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) path: Path,
    /// Bytes of the file.
    pub(crate) size: u64,
}

impl AsyncFileReader for StoredParquet {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        let read = self.store.get_range(&self.path, range);
        read.map(|read| read.map_err(|error| ParquetError::External(Box::new(error))))
            .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        let store = Arc::clone(&self.store);
        let path = self.path.clone();
        async move {
            let read = store.get_ranges(&path, &ranges).await;
            read.map_err(|error| ParquetError::External(Box::new(error)))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        let size = self.size;
        async move {
            let reader = ParquetMetaDataReader::new()
                // The footer of our files, in one request.
                .with_prefetch_hint(Some(32 << 10))
                .with_arrow_reader_options(options);
            Ok(Arc::new(reader.load_and_finish(self, size).await?))
        }
        .boxed()
    }
}
