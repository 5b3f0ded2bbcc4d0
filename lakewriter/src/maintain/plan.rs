//! Which files of a table are written anew as one: a decision without a clock or a store.
//!
//! Files are sorted into tiers by their size, each [`CompactionLimits::files`] times as large as the one before. A tier
//! that has that many files becomes one file of the next, as in a log-structured merge tree: a row is written once for
//! each tier (three or four times between a commit of 20 kB and a file of 128 MB), and at most `files` small files stand
//! in each tier. Merging all small files each time would write a row hundreds of times.

use std::collections::BTreeMap;

/// Files up to this size are of the lowest tier.
const LOWEST_TIER_BYTES: u64 = 64 << 10;

/// A file that has this part of the target size is finished.
const FINISHED_NUMERATOR: u64 = 3;
const FINISHED_DENOMINATOR: u64 = 4;

/// When files are written anew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CompactionLimits {
    /// Size of a finished file, bytes of Parquet.
    pub target_bytes: u64,
    /// So many files of one tier become one. At least 2.
    pub files: usize,
    /// A file of which more rows than this part (0.0 to 1.0) are deleted by a deletion vector is written anew.
    pub deleted_ratio: f64,
}

impl Default for CompactionLimits {
    fn default() -> Self {
        Self {
            target_bytes: super::DEFAULT_TARGET_BYTES,
            files: 16,
            deleted_ratio: 0.2,
        }
    }
}

/// What the decision depends on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FileFacts {
    /// In the table's folder.
    pub(super) path: String,
    pub(super) bytes: u64,
    /// Rows of the file; None where its statistics do not tell.
    pub(super) rows: Option<u64>,
    /// Rows that a deletion vector hides.
    pub(super) deleted: u64,
    /// Values of the partition columns, as one text.
    pub(super) partition: String,
    /// Lowest position of its rows (incarnation and LSN, 0 where the statistics do not tell), then when it was written:
    /// the order of files within one that is made of them.
    pub(super) order: (i64, i64, i64),
}

impl FileFacts {
    fn is_finished(&self, limits: &CompactionLimits) -> bool {
        self.bytes >= limits.target_bytes / FINISHED_DENOMINATOR * FINISHED_NUMERATOR
    }

    fn is_hollow(&self, limits: &CompactionLimits) -> bool {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a ratio of rows, not a count of them"
        )]
        self.rows.is_some_and(|rows| {
            self.deleted > 0 && self.deleted as f64 > rows as f64 * limits.deleted_ratio
        })
    }

    fn tier(&self, limits: &CompactionLimits) -> u32 {
        let factor = (limits.files.max(2)) as u64;
        let mut above = LOWEST_TIER_BYTES;
        let mut tier = 0;
        while self.bytes > above {
            above = above.saturating_mul(factor);
            tier += 1;
        }
        tier
    }
}

/// Groups of files, each to become one file or several of the target size. `settled` says of a partition that no more
/// rows are expected in it: all its files that are not finished become one.
pub(super) fn plan(
    files: Vec<FileFacts>,
    limits: &CompactionLimits,
    settled: impl Fn(&str) -> bool,
) -> Vec<Vec<FileFacts>> {
    let mut hollow = Vec::new();
    let mut small: BTreeMap<(String, u32), Vec<FileFacts>> = BTreeMap::new();
    for file in files {
        if file.is_finished(limits) {
            if file.is_hollow(limits) {
                hollow.push(file);
            }
        } else {
            let tier = if settled(&file.partition) {
                0
            } else {
                file.tier(limits)
            };
            small
                .entry((file.partition.clone(), tier))
                .or_default()
                .push(file);
        }
    }
    let mut groups: Vec<Vec<FileFacts>> = hollow.into_iter().map(|file| vec![file]).collect();
    for ((partition, _), mut tier) in small {
        let least = if settled(&partition) {
            2
        } else {
            limits.files.max(2)
        };
        if tier.len() < least {
            // Where rows are replaced all the time every small file is hollow: alone only those that find no company.
            let alone = tier.into_iter().filter(|file| file.is_hollow(limits));
            groups.extend(alone.map(|file| vec![file]));
            continue;
        }
        tier.sort_by(|a, b| a.order.cmp(&b.order).then_with(|| a.path.cmp(&b.path)));
        groups.extend(cut(tier, limits.target_bytes));
    }
    groups
}

/// Neighbours, as many as fill a file of the target size. A single one is left as it is.
fn cut(files: Vec<FileFacts>, target_bytes: u64) -> Vec<Vec<FileFacts>> {
    let mut groups = Vec::new();
    let mut open: Vec<FileFacts> = Vec::new();
    let mut bytes = 0;
    for file in files {
        if bytes >= target_bytes {
            groups.push(std::mem::take(&mut open));
            bytes = 0;
        }
        bytes += file.bytes;
        open.push(file);
    }
    groups.push(open);
    groups.retain(|group| group.len() > 1);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CompactionLimits = CompactionLimits {
        target_bytes: 16 << 20,
        files: 4,
        deleted_ratio: 0.2,
    };

    fn file(name: &str, bytes: u64, partition: &str, lsn: i64) -> FileFacts {
        FileFacts {
            path: name.to_owned(),
            bytes,
            rows: Some(100),
            deleted: 0,
            partition: partition.to_owned(),
            order: (0, lsn, 0),
        }
    }

    fn names(groups: &[Vec<FileFacts>]) -> Vec<Vec<&str>> {
        let name = |file: &FileFacts| file.path.as_str().to_owned();
        let names = |group: &Vec<FileFacts>| group.iter().map(name).collect::<Vec<_>>();
        let mut owned: Vec<Vec<String>> = groups.iter().map(names).collect();
        owned.sort();
        owned
            .into_iter()
            .map(|group| {
                group
                    .into_iter()
                    .map(|name| &*Box::leak(name.into_boxed_str()))
                    .collect()
            })
            .collect()
    }

    #[test]
    fn a_full_tier_becomes_one_file_in_the_order_of_its_rows() {
        let files = vec![
            file("c", 9_000, "today", 30),
            file("a", 10_000, "today", 10),
            file("d", 11_000, "today", 40),
            file("b", 8_000, "today", 20),
            // Of the next tier, alone in it.
            file("big", 3 << 20, "today", 1),
            // Of another day, too few.
            file("x", 10_000, "tomorrow", 50),
            file("y", 10_000, "tomorrow", 60),
        ];
        let groups = plan(files, &LIMITS, |_| false);
        assert_eq!(names(&groups), [["a", "b", "c", "d"]]);
    }

    #[test]
    fn what_is_settled_becomes_whole_files() {
        let files = vec![
            file("small", 10_000, "yesterday", 10),
            file("middle", 3 << 20, "yesterday", 20),
            file("finished", 15 << 20, "yesterday", 5),
            file("alone", 10_000, "before", 1),
        ];
        let groups = plan(files, &LIMITS, |_| true);
        assert_eq!(names(&groups), [["small", "middle"]]);
    }

    #[test]
    fn groups_are_cut_at_the_target() {
        let files: Vec<_> = (0..8)
            .map(|i| file(&format!("f{i}"), 8 << 20, "p", i))
            .collect();
        let groups = plan(files, &LIMITS, |_| false);
        assert_eq!(
            names(&groups),
            [["f0", "f1"], ["f2", "f3"], ["f4", "f5"], ["f6", "f7"]]
        );
    }

    #[test]
    fn hollow_files_are_written_anew_alone() {
        let mut hollow = file("hollow", 15 << 20, "p", 1);
        hollow.deleted = 21;
        let mut fair = file("fair", 15 << 20, "p", 2);
        fair.deleted = 20;
        let groups = plan(vec![hollow, fair], &LIMITS, |_| false);
        assert_eq!(names(&groups), [["hollow"]]);
    }

    /// A day of commits every two seconds: no more files than four tiers hold, and a row is written few times.
    #[test]
    fn a_day_of_small_commits_stays_small() {
        let limits = CompactionLimits::default();
        let commit = 20_000;
        let mut files: Vec<FileFacts> = Vec::new();
        let mut written = 0;
        let mut most = 0;
        for number in 0..43_200_i64 {
            files.push(file(&format!("{number}"), commit, "today", number));
            if number % 30 == 29 {
                for group in plan(files.clone(), &limits, |_| false) {
                    let bytes: u64 = group.iter().map(|file| file.bytes).sum();
                    written += bytes;
                    files.retain(|file| !group.iter().any(|gone| gone.path == file.path));
                    let lsn = group.first().map_or(0, |file| file.order.1);
                    files.push(file(&format!("{number}-{lsn}"), bytes, "today", lsn));
                }
                most = most.max(files.len());
            }
        }
        let total = 43_200 * commit;
        assert!(most < 100, "{most} files");
        assert!(
            written < 4 * total,
            "written {} times",
            written as f64 / total as f64
        );
    }
}
