//! `bytea`, bit strings and PostGIS text.

use pgtext::{BitString, Hex};

use super::{Unconvertible, base64};
use crate::BinaryHandling;

/// Appends `bytea` text (`\x` and hexadecimal digits) as `binary.handling.mode` wants it.
pub(crate) fn write_bytea(
    text: &[u8],
    handling: BinaryHandling,
    out: &mut Vec<u8>,
) -> Result<(), Unconvertible> {
    write_bytes(Hex::parse_bytea(text)?.bytes(), handling, out);
    Ok(())
}

/// Appends raw bytes as `binary.handling.mode` wants them: always a JSON string.
pub(crate) fn write_bytes(
    bytes: impl Iterator<Item = u8>,
    handling: BinaryHandling,
    out: &mut Vec<u8>,
) {
    out.push(b'"');
    write_encoded(bytes, handling, out);
    out.push(b'"');
}

/// The same without quotes.
#[expect(clippy::indexing_slicing, reason = "half a byte is below sixteen")]
pub(crate) fn write_encoded(
    bytes: impl Iterator<Item = u8>,
    handling: BinaryHandling,
    out: &mut Vec<u8>,
) {
    match handling {
        BinaryHandling::Bytes | BinaryHandling::Base64 => {
            base64::write(out, bytes, base64::STANDARD)
        }
        BinaryHandling::Base64UrlSafe => base64::write(out, bytes, base64::URL_SAFE),
        BinaryHandling::Hex => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            out.extend(
                bytes.flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]),
            );
        }
    }
}

/// The bytes of a bit string as `io.debezium.data.Bits`.
pub(crate) fn bits(text: &[u8]) -> Result<impl ExactSizeIterator<Item = u8>, Unconvertible> {
    Ok(BitString::parse(text)?.little_endian())
}

/// Appends those bytes as a JSON string.
pub(crate) fn write_bits(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    let bytes = bits(text)?;
    out.push(b'"');
    base64::write(out, bytes, base64::STANDARD);
    out.push(b'"');
    Ok(())
}

/// The SRID that PostGIS text (hexadecimal EWKB) carries, if it does.
pub(crate) fn srid(bytes: impl Iterator<Item = u8>) -> Option<u32> {
    const SRID_FLAG: u32 = 0x2000_0000;
    let mut head = [0u8; 9];
    for (slot, byte) in head.iter_mut().zip(bytes) {
        *slot = byte;
    }
    let [
        order,
        type1,
        type2,
        type3,
        type4,
        srid1,
        srid2,
        srid3,
        srid4,
    ] = head;
    let read = |bytes| {
        if order == 0 {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    };
    let has_srid = read([type1, type2, type3, type4]) & SRID_FLAG != 0;
    has_srid.then(|| read([srid1, srid2, srid3, srid4]))
}

/// Appends PostGIS text as Debezium's struct: the bytes as stored, the SRID copied out.
pub(crate) fn write_geometry(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    let bytes = Hex::parse(text)?.bytes();
    out.extend_from_slice(b"{\"wkb\":\"");
    base64::write(out, bytes.clone(), base64::STANDARD);
    out.extend_from_slice(b"\",\"srid\":");
    match srid(bytes) {
        Some(srid) => out.extend_from_slice(itoa::Buffer::new().format(srid).as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<(), Unconvertible>) -> Option<String> {
        let mut out = Vec::new();
        write(&mut out).ok()?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn bytea_in_every_mode() {
        for (handling, json) in [
            (BinaryHandling::Bytes, "\"3q2+7w==\""),
            (BinaryHandling::Base64, "\"3q2+7w==\""),
            (BinaryHandling::Base64UrlSafe, "\"3q2-7w==\""),
            (BinaryHandling::Hex, "\"deadbeef\""),
        ] {
            assert_eq!(
                written(|out| write_bytea(b"\\xdeadbeef", handling, out)).as_deref(),
                Some(json)
            );
        }
        for bad in [&b"deadbeef"[..], b"\\xabc", b"\\xzz"] {
            assert_eq!(
                written(|out| write_bytea(bad, BinaryHandling::Bytes, out)),
                None
            );
        }
    }

    #[test]
    fn bits_are_little_endian_and_trimmed() {
        for (bits, json) in [
            ("11", "\"Aw==\""),
            ("101", "\"BQ==\""),
            ("0000", "\"\""),
            ("", "\"\""),
            ("000000110000001000000001", "\"AQID\""),
            ("11110000111100001", "\"4eEB\""),
            ("101010", "\"Kg==\""),
        ] {
            assert_eq!(
                written(|out| write_bits(bits.as_bytes(), out)).as_deref(),
                Some(json)
            );
        }
        assert_eq!(written(|out| write_bits(b"102", out)), None);
    }

    #[test]
    fn geometry_copies_its_srid_out() {
        assert_eq!(
            written(|out| write_geometry(
                b"0101000020E6100000000000000000F03F000000000000F03F",
                out
            ))
            .as_deref(),
            Some(r#"{"wkb":"AQEAACDmEAAAAAAAAAAA8D8AAAAAAADwPw==","srid":4326}"#)
        );
        assert_eq!(
            written(|out| write_geometry(b"0101000000000000000000F03F000000000000F03F", out))
                .as_deref(),
            Some(r#"{"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAPA/","srid":null}"#)
        );
    }
}
