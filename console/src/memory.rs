//! How much memory queries may take.

/// Where nobody says how much: a part of the machine that leaves room for everything else on a laptop.
const SHARE: usize = 4;

/// Where the machine does not tell its memory.
const UNKNOWN: usize = 1 << 30;

/// Below it, sorting has no room for its buffers.
const LEAST: usize = 64 << 20;

/// A quarter of the machine's memory, or of the container's.
pub fn default_limit() -> usize {
    let machine = std::fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.as_deref().and_then(machine_memory);
    let container = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|text| text.trim().parse().ok());
    let memory = machine.into_iter().chain(container).min();
    (memory.unwrap_or(UNKNOWN) / SHARE).max(LEAST)
}

/// `MemTotal:       16384000 kB`.
fn machine_memory(meminfo: &str) -> Option<usize> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_tells_its_memory() {
        let text = "MemFree: 5 kB\nMemTotal:       16384 kB\nBuffers: 1 kB\n";
        assert_eq!(machine_memory(text), Some(16_777_216));
        assert_eq!(machine_memory("nothing"), None);
        assert!(default_limit() >= LEAST);
    }
}
