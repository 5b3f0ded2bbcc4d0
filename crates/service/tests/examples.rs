//! The examples do what their first lines say.

#[path = "../examples/report.rs"]
#[allow(dead_code, reason = "its `main` is for the command line")]
mod report;

#[test]
fn an_error_is_told_with_its_cause_and_what_to_do() {
    let (report, delays) = report::run();
    assert_eq!(
        report,
        "error: connect to `127.0.0.1:5432`\n\
         caused by: connection refused\n\
         hint: check that the server runs, and its address"
    );
    assert_eq!(delays.len(), 5);
}
