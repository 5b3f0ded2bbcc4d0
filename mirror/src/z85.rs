//! Bytes as text, in the alphabet in which Delta's log holds them: four bytes are five characters (ZeroMQ's Z85).

const ALPHABET: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// Bytes that do not fill the last four are followed by zeros.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(4) * 5);
    for chunk in bytes.chunks(4) {
        let mut four = [0; 4];
        for (byte, of) in four.iter_mut().zip(chunk) {
            *byte = *of;
        }
        let number = u32::from_be_bytes(four);
        for power in [85_u32.pow(4), 85_u32.pow(3), 85_u32.pow(2), 85, 1] {
            let digit = usize::try_from(number / power % 85).unwrap_or_default();
            text.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
        }
    }
    text
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
