//! Where the records of an open transaction are kept until its fate is known: in memory, then in an unnamed file.
//!
//! The file has no name, so the operating system frees it however the process ends. Records come back in the order in
//! which they were pushed; a block that cannot be read whole is an error, never the end.

use std::{
    fs::File,
    io::{BufReader, ErrorKind as IoErrorKind, Read, Seek, SeekFrom, Write},
    path::Path,
};

use crate::{Error, ErrorKind};

/// Size of one block: records are appended to it without moving the earlier ones.
const BLOCK_BYTES: usize = 256 * 1024;

const CHANGE: u8 = 0;
const SKIP: u8 = 1;
const RELATION: u8 = 2;

/// One thing to remember of an open transaction, in the order it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// A change message of a captured table, as it came inside its stream block.
    Change {
        subxid: u32,
        wal_start: u64,
        message: &'a [u8],
    },
    /// Change messages that are not emitted but have an ordinal.
    Skip { subxid: u32, count: u64 },
    /// From here on the table with this OID has the version with this index among the transaction's own.
    Relation { relation_id: u32, version: u32 },
}

/// The records of one open transaction: blocks in memory, earlier ones in an unnamed temporary file, which the operating
/// system frees when the process ends, however it ends.
#[derive(Debug, Default)]
pub struct Spool {
    file: Option<File>,
    file_blocks: u64,
    blocks: Vec<Vec<u8>>,
    memory: usize,
    /// Uncaptured changes are the bulk of some transactions: a run of them is one record.
    run: Option<(u32, u64)>,
}

impl Spool {
    /// Bytes held in memory.
    pub const fn memory(&self) -> usize {
        self.memory
    }

    pub fn push(&mut self, record: Record<'_>) {
        if let Record::Skip { subxid, count } = record {
            match &mut self.run {
                Some((run, counted)) if *run == subxid => {
                    *counted += count;
                    return;
                }
                _ => {}
            }
            if let Some((subxid, count)) = self.run.replace((subxid, count)) {
                self.append(Record::Skip { subxid, count });
            }
            return;
        }
        self.end_run();
        self.append(record);
    }

    fn end_run(&mut self) {
        if let Some((subxid, count)) = self.run.take() {
            self.append(Record::Skip { subxid, count });
        }
    }

    fn append(&mut self, record: Record<'_>) {
        let length = match record {
            Record::Change { message, .. } => 17 + message.len(),
            Record::Skip { .. } => 13,
            Record::Relation { .. } => 9,
        };
        let mut block = match self.blocks.pop() {
            Some(last) if last.capacity() - last.len() >= length => last,
            full => {
                self.blocks.extend(full);
                let block = Vec::with_capacity(BLOCK_BYTES.max(length));
                self.memory += block.capacity();
                block
            }
        };
        match record {
            Record::Change {
                subxid,
                wal_start,
                message,
            } => {
                block.push(CHANGE);
                block.extend_from_slice(&subxid.to_le_bytes());
                block.extend_from_slice(&wal_start.to_le_bytes());
                // A message is part of a frame, and frames stay below 2 GiB.
                block.extend_from_slice(&(message.len() as u32).to_le_bytes());
                block.extend_from_slice(message);
            }
            Record::Skip { subxid, count } => {
                block.push(SKIP);
                block.extend_from_slice(&subxid.to_le_bytes());
                block.extend_from_slice(&count.to_le_bytes());
            }
            Record::Relation {
                relation_id,
                version,
            } => {
                block.push(RELATION);
                block.extend_from_slice(&relation_id.to_le_bytes());
                block.extend_from_slice(&version.to_le_bytes());
            }
        }
        self.blocks.push(block);
    }

    /// Move everything in memory to the file.
    ///
    /// # Errors
    /// The file cannot be made or written.
    pub fn spill(&mut self, folder: &Path) -> Result<(), Error> {
        self.end_run();
        let failed = |error| {
            Error::new(
                ErrorKind::Spill,
                format!("spill an open transaction to `{}`", folder.display()),
            )
            .with_source(error)
        };
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                std::fs::create_dir_all(folder).map_err(failed)?;
                none.insert(tempfile::tempfile_in(folder).map_err(failed)?)
            }
        };
        for block in &self.blocks {
            file.write_all(&(block.len() as u64).to_le_bytes())
                .and_then(|()| file.write_all(block))
                .map_err(failed)?;
            self.file_blocks += 1;
        }
        self.blocks.clear();
        self.memory = 0;
        Ok(())
    }

    /// Read everything back in order.
    ///
    /// # Errors
    /// The file cannot be read from its start.
    pub fn into_reader(mut self) -> Result<SpoolReader, Error> {
        self.end_run();
        let file = match self.file {
            Some(mut file) => {
                file.seek(SeekFrom::Start(0)).map_err(read_failed)?;
                Some(BufReader::with_capacity(BLOCK_BYTES, file))
            }
            None => None,
        };
        Ok(SpoolReader {
            file,
            file_blocks: self.file_blocks,
            blocks: self.blocks.into_iter(),
            block: Vec::new(),
            at: 0,
        })
    }
}

/// A spool being read: one block in memory at a time, besides those that never left it.
#[derive(Debug)]
pub struct SpoolReader {
    file: Option<BufReader<File>>,
    file_blocks: u64,
    blocks: std::vec::IntoIter<Vec<u8>>,
    block: Vec<u8>,
    at: usize,
}

impl SpoolReader {
    /// The next record; None after the last.
    ///
    /// # Errors
    /// The file cannot be read or is not what was written.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, Error> {
        while self.at >= self.block.len() {
            if !self.next_block()? {
                return Ok(None);
            }
        }
        let record = self.block.get(self.at..).and_then(parse);
        let (record, length) = record.ok_or_else(|| {
            read_failed(std::io::Error::new(
                IoErrorKind::InvalidData,
                "not a record that was written",
            ))
        })?;
        self.at += length;
        Ok(Some(record))
    }

    fn next_block(&mut self) -> Result<bool, Error> {
        self.at = 0;
        if let (Some(file), 1..) = (&mut self.file, self.file_blocks) {
            self.file_blocks -= 1;
            let mut length = [0; 8];
            file.read_exact(&mut length).map_err(read_failed)?;
            let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
            self.block.clear();
            // `take` bounds what a damaged length could ask for.
            file.take(length as u64)
                .read_to_end(&mut self.block)
                .map_err(read_failed)?;
            return if self.block.len() == length {
                Ok(true)
            } else {
                Err(read_failed(IoErrorKind::UnexpectedEof.into()))
            };
        }
        match self.blocks.next() {
            Some(block) => {
                self.block = block;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

fn parse(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let u32_at = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
    };
    let u64_at = |at: usize| -> Option<u64> {
        Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
    };
    Some(match *bytes.first()? {
        CHANGE => {
            let length = usize::try_from(u32_at(13)?).ok()?;
            let message = bytes.get(17..17 + length)?;
            (
                Record::Change {
                    subxid: u32_at(1)?,
                    wal_start: u64_at(5)?,
                    message,
                },
                17 + length,
            )
        }
        SKIP => (
            Record::Skip {
                subxid: u32_at(1)?,
                count: u64_at(5)?,
            },
            13,
        ),
        RELATION => (
            Record::Relation {
                relation_id: u32_at(1)?,
                version: u32_at(5)?,
            },
            9,
        ),
        _ => return None,
    })
}

fn read_failed(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Spill, "read back a spilled transaction").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(spool: Spool) -> Vec<String> {
        let mut reader = spool.into_reader().expect("readable");
        let mut records = Vec::new();
        while let Some(record) = reader.next_record().expect("readable") {
            records.push(match record {
                Record::Change {
                    subxid,
                    wal_start,
                    message,
                } => format!(
                    "change {subxid} {wal_start} {} {:?}",
                    message.len(),
                    message.first()
                ),
                other @ (Record::Skip { .. } | Record::Relation { .. }) => format!("{other:?}"),
            });
        }
        records
    }

    fn fill(spool: &mut Spool, from: u32, to: u32) -> Vec<String> {
        let mut want = Vec::new();
        for number in from..to {
            let message = vec![number as u8; (number as usize * 37) % 5000];
            spool.push(Record::Change {
                subxid: number,
                wal_start: u64::from(number) << 32,
                message: &message,
            });
            want.push(format!(
                "change {number} {} {} {:?}",
                u64::from(number) << 32,
                message.len(),
                message.first()
            ));
        }
        want
    }

    #[test]
    fn order_survives_spilling_at_any_time() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut spool = Spool::default();
        let mut want = fill(&mut spool, 0, 400);
        spool.spill(folder.path()).expect("spills");
        assert_eq!(spool.memory(), 0);
        want.extend(fill(&mut spool, 400, 500));
        spool.spill(folder.path()).expect("spills");
        want.extend(fill(&mut spool, 500, 600));
        assert!(spool.memory() > 0);
        assert_eq!(read_all(spool), want);
        let left = std::fs::read_dir(folder.path()).expect("folder").count();
        assert_eq!(left, 0, "spill files have no name that could stay behind");
    }

    #[test]
    fn runs_of_skipped_changes_are_one_record() {
        let mut spool = Spool::default();
        for subxid in [1, 1, 2, 2, 2] {
            spool.push(Record::Skip { subxid, count: 1 });
        }
        spool.push(Record::Relation {
            relation_id: 9,
            version: 0,
        });
        spool.push(Record::Skip {
            subxid: 2,
            count: 1,
        });
        assert_eq!(
            read_all(spool),
            [
                "Skip { subxid: 1, count: 2 }",
                "Skip { subxid: 2, count: 3 }",
                "Relation { relation_id: 9, version: 0 }",
                "Skip { subxid: 2, count: 1 }"
            ]
        );
    }

    #[test]
    fn a_record_larger_than_a_block_has_its_own() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut spool = Spool::default();
        let message = vec![3; 3 * BLOCK_BYTES];
        spool.push(Record::Change {
            subxid: 1,
            wal_start: 2,
            message: &message,
        });
        spool.spill(folder.path()).expect("spills");
        assert_eq!(
            read_all(spool),
            [format!("change 1 2 {} Some(3)", 3 * BLOCK_BYTES)]
        );
    }
}
