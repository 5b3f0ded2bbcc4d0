//! Whether a text can be the pattern of topics: the library that compiles it later is asked.

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};

use crate::{Error, ErrorKind, whole_names};

/// Whether librdkafka takes this regular expression of topics. No broker is asked.
///
/// # Errors
/// `Configuration`: it does not.
pub fn check_topics(pattern: &str) -> Result<(), Error> {
    let wrong = || {
        Error::new(
            ErrorKind::Configuration,
            format!("use `{pattern}` as a regular expression"),
        )
        .with_hint("write it as `shop\\..*` or `shop\\.public\\.(orders|items)`")
    };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("group.id", "pattern")
        .create()
        .map_err(|error| wrong().with_source(error))?;
    // By itself and within the group that it is put in: `a)|(b` would be one there alone.
    for pattern in [format!("^{pattern}"), whole_names(pattern)] {
        consumer
            .subscribe(&[pattern.as_str()])
            .map_err(|error| wrong().with_source(error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_compiled_is_refused() {
        for pattern in ["twitter\\..*", "a|b", "shop\\.(x|y)"] {
            assert!(check_topics(pattern).is_ok(), "{pattern}");
        }
        for pattern in ["(", "[a", "a)|(b"] {
            let error = check_topics(pattern).expect_err(pattern);
            assert_eq!(error.kind(), ErrorKind::Configuration, "{pattern}");
        }
    }
}
