//! Proves: no statement takes the machine or the process with it, and what is admitted is answered.
//! Steps: `tributary sql` over an empty lake, with statements as deep as they may be and deeper, with functions that make
//! much of little, and with a plan that doubles line by line.
//! Requires: nothing.

use std::process::{Command, Output, Stdio};

use anyhow::{Result, ensure};

fn asked(sql: &str) -> Result<Output> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().join("lake");
    std::fs::create_dir(&lake)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
    command
        .args(["sql", "--format", "csv", "--memory-limit", "64MB", "--lake"])
        .arg(&lake)
        .arg(sql)
        .current_dir(folder.path())
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null());
    Ok(command.output()?)
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_statement_as_deep_as_it_may_be_is_answered() -> Result<()> {
    let sum = vec!["1"; 990].join("+");
    let either = vec!["a = 2"; 450].join(" or ");
    let of_rows = vec!["a"; 900].join("+");
    for (sql, answer) in [
        (format!("select {sum} as n"), "n\n990\n"),
        (
            format!("select a from (values (1), (2)) t(a) where {either}"),
            "a\n2\n",
        ),
        (
            format!("select {of_rows} as n from (values (1)) t(a)"),
            "n\n900\n",
        ),
        (
            format!(
                "select count(*) as n from ({})",
                vec!["select 1"; 250].join(" union all ")
            ),
            "n\n250\n",
        ),
    ] {
        let output = asked(&sql)?;
        let found = String::from_utf8_lossy(&output.stdout);
        ensure!(found == answer, "{found}{}", told(&output));
    }
    Ok(())
}

#[test]
fn a_deeper_statement_is_refused_and_does_not_end_the_process_by_itself() -> Result<()> {
    for sql in [
        format!("select {}", vec!["1"; 20_000].join("+")),
        vec!["select 1"; 5_000].join(" union all "),
        format!("select {}1{}", "(".repeat(20_000), ")".repeat(20_000)),
    ] {
        let output = asked(&sql)?;
        ensure!(output.status.code() == Some(1), "{:?}", output.status);
        ensure!(
            told(&output).contains("more than 1000 operators"),
            "{}",
            told(&output)
        );
    }
    Ok(())
}

#[test]
fn a_function_that_would_make_too_much_is_refused() -> Result<()> {
    for sql in [
        "select repeat('x', 2000000000)",
        "select rpad('x', 2000000000)",
        "select cardinality(generate_series(1, 1000000000))",
    ] {
        let output = asked(sql)?;
        ensure!(
            output.status.code() == Some(1),
            "{sql}: {:?}",
            output.status
        );
        let told = told(&output);
        ensure!(
            told.contains("would make") && told.contains("--memory-limit"),
            "{told}"
        );
    }
    Ok(())
}

/// What nobody counts, the kernel does.
#[test]
fn a_process_that_takes_too_much_ends_with_a_word() -> Result<()> {
    let mut sql = "with t0 as (select 1 as a)".to_owned();
    for n in 1..30 {
        let before = n - 1;
        sql.push_str(&format!(
            ", t{n} as (select * from t{before} union all select * from t{before})"
        ));
    }
    let output = asked(&format!("{sql} select count(*) from t29"))?;
    ensure!(!output.status.success());
    let told = told(&output);
    let words = "it needs more memory than the process may take";
    ensure!(
        told.contains(words) && told.contains("--memory-limit"),
        "{told}"
    );
    Ok(())
}
