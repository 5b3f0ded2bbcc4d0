//! What a connector's operator would do, in a mirror's own words.

use cdc::{Error, ErrorKind};

/// The same error, with what helps whoever started `tributary mirror`: he has neither a connector nor its stored offsets.
pub fn of_a_mirror(error: Error) -> Error {
    if !matches!(error.kind(), ErrorKind::SlotLost | ErrorKind::LsnsReused) {
        return error;
    }
    error.with_hint(
        "start once with `--snapshot when_needed`: the tables are copied anew, and readers see the old rows until all new ones are in",
    )
}
