//! The examples do what their first lines say: lakewriter's writes a lake, ours asks it.

#[path = "../../lakewriter/examples/append_changes.rs"]
#[allow(dead_code, reason = "its `main` is for the command line")]
mod append_changes;
#[path = "../examples/query.rs"]
#[allow(dead_code, reason = "its `main` is for the command line")]
mod query;

#[tokio::test]
async fn what_one_example_writes_the_other_one_shows() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let lake = folder.path().to_str().ok_or("a path in UTF-8")?;
    assert_eq!(append_changes::run(lake).await?, 2);
    let rows = query::run(lake, "select id, state from public.orders").await?;
    assert_eq!(rows, "id,state\n1,paid\n");
    let log = query::run(lake, "select count(*) as n from public.orders_changes").await?;
    assert_eq!(log, "n\n2\n");
    // Changes at or below the lake's position are not written a second time.
    assert_eq!(append_changes::run(lake).await?, 0);
    Ok(())
}
