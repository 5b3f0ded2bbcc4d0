use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// What is escaped in a part of a path which a shell takes as it is: all but the unreserved characters (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A name as a part of a path, which a shell takes as it is.
pub fn path_part(name: &str) -> PercentEncode<'_> {
    utf8_percent_encode(name, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part() {
        assert_eq!(path_part("a/b ü").to_string(), "a%2Fb%20%C3%BC");
    }
}
