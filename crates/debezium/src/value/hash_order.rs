//! The order in which a `java.util.HashMap` with text keys is walked: by bucket, in one bucket as they came.

/// Buckets of an empty map; a map doubles them when it is three quarters full.
const FIRST_CAPACITY: usize = 16;

/// Sorts entries that came in this order.
pub(super) fn sort<E>(entries: &mut [E], key: impl Fn(&E) -> &[u8]) {
    let mut capacity = FIRST_CAPACITY;
    while entries.len() > capacity / 4 * 3 {
        capacity *= 2;
    }
    // Stable; the capacity is a power of two.
    entries.sort_by_cached_key(|entry| spread(key(entry)) as usize & (capacity - 1));
}

/// Java's hash of a text, the upper half folded into the lower.
fn spread(key: &[u8]) -> u32 {
    let hash = String::from_utf8_lossy(key)
        .encode_utf16()
        .fold(0u32, |hash, unit| {
            hash.wrapping_mul(31).wrapping_add(u32::from(unit))
        });
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests {
    #[test]
    fn keys_stand_as_java_walks_them() {
        for (came, walked) in [
            ("a zebra", "zebra a"),
            ("b x cc", "cc b x"),
            ("ü a\\b q\"x AaAa AaBB BBBB", "a\\b q\"x ü AaAa AaBB BBBB"),
            (
                "a bb k7 k8 k9 ü k10 k11 k12 k13 k14 zebra 日本 key_with_space",
                "bb zebra a k11 k10 日本 k7 k13 k8 k12 k9 k14 key_with_space ü",
            ),
        ] {
            let spaced = |text: &str| -> Vec<String> {
                text.split(' ').map(|key| key.replace('_', " ")).collect()
            };
            let mut keys = spaced(came);
            super::sort(&mut keys, |key| key.as_bytes());
            assert_eq!(keys, spaced(walked));
        }
    }
}
