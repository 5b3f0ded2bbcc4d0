//! What `/metrics` shows of a lakewriter; `service::metrics` has the list of metrics and writes the page.

use std::time::Duration;

use service::metrics::{
    Page, Value,
    list::{OF_LAKEWRITER, OfLakewriter},
};

use crate::LakeCounters;

/// Render all metrics, as they are now.
pub fn render(progress: &LakeCounters) -> String {
    let mut page = Page::default();
    for (id, metric) in &OF_LAKEWRITER {
        page.add(metric, read(*id, progress).map(|value| (Vec::new(), value)));
    }
    page.render()
}

/// None: nothing can be said yet.
fn read(id: OfLakewriter, progress: &LakeCounters) -> Option<Value> {
    let freshness = |quantile| {
        let age = progress.freshness(quantile);
        age.map(|age| Duration::as_secs_f64(&age).into())
    };
    match id {
        OfLakewriter::Rows => Some(progress.rows_visible().into()),
        OfLakewriter::Commits => Some(progress.commits().into()),
        OfLakewriter::DeadLetters => Some(progress.dead_letters().into()),
        OfLakewriter::DuplicatesDropped => Some(progress.duplicates_dropped().into()),
        OfLakewriter::LastCommit => {
            let micros = progress.last_commit_micros();
            micros.map(|micros| (micros as f64 / 1e6).into())
        }
        OfLakewriter::Freshness => Some((&progress.freshness_histogram).into()),
        OfLakewriter::FreshnessP50 => freshness(0.5),
        OfLakewriter::FreshnessP99 => freshness(0.99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::CommitTimes;

    #[test]
    fn a_number_that_is_not_known_yet_is_absent() {
        let text = render(&LakeCounters::default());
        assert!(
            text.contains("\ntributary_lakewriter_rows_total 0\n"),
            "{text}"
        );
        assert!(text.contains("\ntributary_lakewriter_freshness_seconds_count 0\n"));
        for absent in ["last_commit_timestamp_seconds", "freshness_p50_seconds"] {
            let begin = format!("\ntributary_lakewriter_{absent} ");
            assert!(!text.contains(&begin), "{text}");
        }
    }

    #[test]
    fn rows_are_counted_by_their_age() {
        let progress = LakeCounters::default();
        let mut commits = CommitTimes::default();
        for _ in 0..1000 {
            commits.add(9_700_000);
        }
        commits.add(6_000_000);
        progress.visible(&commits, 10_000_000);
        let text = render(&progress);
        for line in [
            "# TYPE tributary_lakewriter_freshness_seconds histogram",
            "tributary_lakewriter_freshness_seconds_bucket{le=\"0.25\"} 0",
            "tributary_lakewriter_freshness_seconds_bucket{le=\"0.5\"} 1000",
            "tributary_lakewriter_freshness_seconds_bucket{le=\"5.0\"} 1001",
            "tributary_lakewriter_freshness_seconds_bucket{le=\"+Inf\"} 1001",
            "tributary_lakewriter_freshness_seconds_sum 304.0",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        }
    }
}
