//! Bytes as text, as Delta's log holds them: four bytes are five characters (ZeroMQ's Z85).

/// Bytes that do not fill the last four are followed by zeros, and not by what the library would say of their number.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut fours = bytes.to_vec();
    fours.resize(bytes.len().next_multiple_of(4), 0);
    z85::encode(&fours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_its_specification_holds() {
        let bytes = [0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B];
        assert_eq!(encode(&bytes), "HelloWorld");
        assert_eq!(encode(&[0x86]), encode(&[0x86, 0, 0, 0]));
        assert_eq!(encode(&[]), "");
    }
}
