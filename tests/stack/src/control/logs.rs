use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use stack::State;

use super::place::state_file;

/// As much of the end as a screen or some take.
const END: u64 = 16 * 1024;

/// Prints the end of a service's log, and with `follow` what is added to it.
pub async fn logs(service: &str, follow: bool) -> Result<()> {
    let state = State::load(&state_file())?;
    let mut known = state.services.iter().chain(&state.supervisor);
    let Some(started) = known.find(|started| started.service == service) else {
        let known = state.services.iter().chain(&state.supervisor);
        let known: Vec<&str> = known.map(|s| s.service.as_str()).collect();
        bail!(
            "no service `{service}` was started; these were: {}",
            known.join(", ")
        )
    };
    let attempted = || format!("read the log `{}`", started.log.display());
    let mut file = File::open(&started.log).with_context(attempted)?;
    let length = file.metadata().with_context(attempted)?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(END)))
        .with_context(attempted)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).with_context(attempted)?;
    let whole = match bytes.iter().position(|byte| *byte == b'\n') {
        // the first line is cut off
        Some(end) if length > END => bytes.get(end + 1..).unwrap_or_default(),
        _ => &bytes,
    };
    let mut out = std::io::stdout();
    out.write_all(whole)?;
    out.flush()?;
    if !follow {
        return Ok(());
    }
    loop {
        bytes.clear();
        file.read_to_end(&mut bytes).with_context(attempted)?;
        out.write_all(&bytes)?;
        out.flush()?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
