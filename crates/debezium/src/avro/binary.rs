//! Avro's binary encoding of primitive values (Avro specification, "Binary Encoding").

/// Branch of a union, where it is the first or the second.
pub(crate) const FIRST: u8 = 0;
pub(crate) const SECOND: u8 = 2;

/// Appends an int or a long: zig-zag, seven bits a byte, the lowest first.
#[inline]
pub(crate) fn write_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    if rest < 0x80 {
        out.push(rest as u8);
        return;
    }
    // Room is looked for once, not with every byte.
    let mut bytes = [0; 10];
    let mut length = 0;
    for byte in &mut bytes {
        length += 1;
        *byte = rest as u8 & 0x7f;
        rest >>= 7;
        if rest == 0 {
            break;
        }
        *byte |= 0x80;
    }
    out.extend_from_slice(bytes.get(..length).unwrap_or(&bytes));
}

/// Appends bytes: their length, then they.
#[inline]
pub(crate) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 5);
    write_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Appends a string. Bytes that are not UTF-8, which only a database in `SQL_ASCII` can send, become replacement
/// characters, as in Java.
#[inline]
pub(crate) fn write_string(text: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(text) {
        Ok(_) => write_bytes(text, out),
        Err(_) => write_bytes(String::from_utf8_lossy(text).as_bytes(), out),
    }
}

#[inline]
pub(crate) fn write_length(length: usize, out: &mut Vec<u8>) {
    write_long(i64::try_from(length).unwrap_or(i64::MAX), out);
}

/// Appends what `write` appends, with a number before it that `write` answers: a length in bytes or a count of items,
/// known only afterwards. One byte is kept free for it, which is enough below 64; a larger one moves what was written.
#[inline]
pub(crate) fn write_counted<E>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<usize, E>,
) -> Result<(), E> {
    let start = out.len();
    out.push(0);
    let count = write(out)?;
    match u8::try_from(count) {
        Ok(small @ 0..64) => {
            if let Some(slot) = out.get_mut(start) {
                *slot = small << 1;
            }
        }
        _ => {
            let mut number = Vec::with_capacity(10);
            write_length(count, &mut number);
            out.splice(start..=start, number);
        }
    }
    Ok(())
}

/// The same for a string or bytes: the number is the length of what `write` appends.
#[inline]
pub(crate) fn write_sized<E>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    write_counted(out, |out| {
        let start = out.len();
        write(out)?;
        Ok(out.len().saturating_sub(start))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_specification() {
        for (value, bytes) in [
            (0, &[0x00u8][..]),
            (-1, &[0x01]),
            (1, &[0x02]),
            (-64, &[0x7f]),
            (64, &[0x80, 0x01]),
            (
                i64::MAX,
                &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            ),
            (
                i64::MIN,
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            ),
        ] {
            let mut out = Vec::new();
            write_long(value, &mut out);
            assert_eq!(out, bytes, "{value}");
        }
    }

    #[test]
    fn lengths_that_are_known_afterwards() {
        for length in [0usize, 1, 63, 64, 300, 20_000] {
            let text = vec![b'x'; length];
            let (mut before, mut after) = (vec![9], vec![9]);
            write_bytes(&text, &mut before);
            let written: Result<(), ()> = write_sized(&mut after, |out| {
                out.extend_from_slice(&text);
                Ok(())
            });
            assert_eq!(written, Ok(()));
            assert_eq!(before, after, "{length}");
        }
    }
}
