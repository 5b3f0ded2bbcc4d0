//! The page, made anew for each request.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::Registry,
};

use super::{Histogram, Kind, Metric};

/// Of Prometheus' text format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// Label names and values.
type Labels = Vec<(String, String)>;

/// What a metric says under one set of labels.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Whole(u64),
    /// Any other number.
    Real(f64),
    /// As [`Histogram`] was when it was read.
    Histogram {
        /// Seconds.
        sum: f64,
        /// Upper bounds in seconds, and what lies between each and the one before it.
        buckets: Vec<(f64, u64)>,
    },
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(u64::from(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<&Histogram> for Value {
    fn from(histogram: &Histogram) -> Self {
        Self::Histogram {
            sum: histogram.sum(),
            buckets: histogram.buckets(),
        }
    }
}

#[derive(Debug)]
struct Family {
    metric: &'static Metric,
    samples: Vec<(Labels, Value)>,
}

/// Metrics and what they say at this moment.
#[derive(Debug, Default)]
pub struct Page {
    families: Vec<Family>,
}

impl Page {
    /// Add a metric with what it says under each set of labels.
    pub fn add(
        &mut self,
        metric: &'static Metric,
        samples: impl IntoIterator<Item = (Labels, Value)>,
    ) {
        self.families.push(Family {
            metric,
            samples: samples.into_iter().collect(),
        });
    }

    /// The text to answer with, in the order in which metrics were added.
    pub fn render(self) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut page = String::new();
        // Nothing can fail that writes into a string.
        let _ = text::encode_registry(&mut page, &registry);
        page
    }
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for Family { metric, samples } in &self.families {
            let kind = match metric.kind {
                Kind::Gauge => MetricType::Gauge,
                Kind::Counter => MetricType::Counter,
                Kind::Histogram => MetricType::Histogram,
            };
            let mut family = encoder.encode_descriptor(metric.name, metric.meaning, None, kind)?;
            for (labels, value) in samples {
                sample(family.encode_family(labels)?, value)?;
            }
        }
        Ok(())
    }
}

/// The library's counters put `_total` behind the name of the sample alone, as OpenMetrics has it. In the format of ours
/// it belongs to the name everywhere, so a counter is written as a number.
fn sample(mut encoder: MetricEncoder<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Whole(value) => encoder.encode_gauge(value),
        Value::Real(value) => encoder.encode_gauge(value),
        Value::Histogram { sum, buckets } => {
            let count = buckets.iter().map(|(_, count)| count).sum();
            encoder.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    static TOTAL: Metric = Metric {
        name: "a_total",
        kind: Kind::Counter,
        unit: "rows",
        labels: &["op"],
        meaning: "Rows.",
    };
    static AGE: Metric = Metric {
        name: "age_seconds",
        kind: Kind::Histogram,
        unit: "seconds",
        labels: &[],
        meaning: "Age.",
    };

    #[test]
    fn the_page_is_prometheus_text() {
        let histogram = Histogram::new(&[0.5, 1.0]);
        histogram.record(Duration::from_millis(250), 4);
        histogram.record(Duration::from_secs(2), 1);
        let mut page = Page::default();
        let op = |value: &str| vec![("op".to_owned(), value.to_owned())];
        page.add(
            &TOTAL,
            [(op("a\"b\\c\nd"), 7_u64.into()), (op("r"), 1.5.into())],
        );
        page.add(&AGE, [(Vec::new(), Value::from(&histogram))]);
        assert_eq!(
            page.render(),
            "# HELP a_total Rows.\n\
             # TYPE a_total counter\n\
             a_total{op=\"a\\\"b\\\\c\\nd\"} 7\n\
             a_total{op=\"r\"} 1.5\n\
             # HELP age_seconds Age.\n\
             # TYPE age_seconds histogram\n\
             age_seconds_sum 3.0\n\
             age_seconds_count 5\n\
             age_seconds_bucket{le=\"0.5\"} 4\n\
             age_seconds_bucket{le=\"1.0\"} 4\n\
             age_seconds_bucket{le=\"+Inf\"} 5\n"
        );
    }
}
