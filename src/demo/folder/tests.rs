use super::*;

fn refusal<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    result.expect_err("a refusal").render()
}

#[test]
fn a_folder_that_no_demo_made_is_not_removed() {
    let place = tempfile::tempdir().expect("folder");
    let (folder, photo) = (place.path(), place.path().join("lake/photo.png"));
    fs::create_dir(folder.join("lake")).expect("make");
    fs::write(&photo, "x").expect("write");

    let said = refusal(clean(folder));
    assert!(
        said.contains("no demo made it") && said.contains("rm -r "),
        "{said}"
    );
    let said = refusal(Folder::claim(folder));
    assert!(said.contains("it holds `lake`"), "{said}");
    assert!(photo.exists());
    let names: Vec<_> = fs::read_dir(folder).expect("list").collect();
    assert_eq!(
        names.len(),
        1,
        "a refused demo leaves nothing behind: {names:?}"
    );
}

#[test]
fn what_was_there_before_the_demo_stays() {
    let place = tempfile::tempdir().expect("folder");
    let (folder, photo) = (place.path(), place.path().join("photo.png"));
    fs::write(&photo, "x").expect("write");
    let said = refusal(Folder::claim_as(folder, true));
    assert!(said.contains("it holds `photo.png`"), "{said}");
    let claimed = Folder::claim_as(folder, false).expect("claim");
    fs::create_dir_all(claimed.path().join("lake/twitter")).expect("make");
    drop(claimed);

    clean(folder).expect("clean");
    assert!(photo.exists() && !folder.join("lake").exists());
    let said = refusal(clean(folder));
    assert!(
        said.contains("no demo made it") && !said.contains("rm -r"),
        "{said}"
    );
}

#[test]
fn a_link_in_the_place_of_the_lock_is_not_followed() {
    let place = tempfile::tempdir().expect("folder");
    let (folder, victim) = (place.path().join("demo"), place.path().join("victim"));
    fs::write(&victim, "kept").expect("write");
    drop(Folder::claim(&folder).expect("claim"));
    fs::remove_file(folder.join(LOCK)).expect("remove");
    std::os::unix::fs::symlink(&victim, folder.join(LOCK)).expect("link");
    refusal(clean(&folder));
    refusal(Folder::claim(&folder));
    assert_eq!(fs::read_to_string(&victim).expect("read"), "kept");
}

#[test]
fn a_folder_in_use_is_neither_shared_nor_removed() {
    let place = tempfile::tempdir().expect("folder");
    let folder = place.path().join("demo");
    let claimed = Folder::claim(&folder).expect("claim");
    let lake = folder.join("lake");
    fs::create_dir(&lake).expect("make");
    let me = format!("with pid {}", std::process::id());
    for said in [refusal(Folder::claim(&folder)), refusal(clean(&folder))] {
        assert!(said.contains(&me) && said.contains("kill -INT"), "{said}");
    }
    assert!(lake.exists());
    drop(claimed);
    drop(Folder::claim(&folder).expect("the next demo"));
    clean(&folder).expect("clean");
    assert!(!folder.exists());
    clean(&folder).expect("nothing is left to clean");
}

#[test]
fn a_forged_marker_removes_no_other_name() {
    let place = tempfile::tempdir().expect("folder");
    let (folder, beside) = (place.path().join("x"), place.path().join("beside"));
    fs::create_dir_all(folder.join("src")).expect("make");
    fs::create_dir(&beside).expect("make");
    write_marker(
        &folder,
        &Marker {
            format: 1,
            made: ["src", "../beside", "."].map(str::to_owned).to_vec(),
            made_folder: true,
            owner: None,
        },
    )
    .expect("write");
    clean(&folder).expect("clean");
    assert!(folder.join("src").exists() && beside.exists());

    fs::write(
        folder.join(MARKER),
        r#"{"format":2,"made":[],"made_folder":true,"owner":null}"#,
    )
    .expect("write");
    let said = refusal(clean(&folder));
    assert!(said.contains("it has format 2"), "{said}");
}

#[test]
fn a_link_in_the_place_of_the_lake_is_removed_and_not_followed() {
    let place = tempfile::tempdir().expect("folder");
    let (folder, elsewhere) = (place.path().join("demo"), place.path().join("elsewhere"));
    fs::create_dir(&elsewhere).expect("make");
    fs::write(elsewhere.join("kept"), "x").expect("write");
    drop(Folder::claim(&folder).expect("claim"));
    std::os::unix::fs::symlink(&elsewhere, folder.join("lake")).expect("link");
    clean(&folder).expect("clean");
    assert!(elsewhere.join("kept").exists() && !folder.exists());
}

#[test]
fn a_demo_from_before_the_marker_goes_on_and_is_removed() {
    let place = tempfile::tempdir().expect("folder");
    let folder = place.path().join("demo");
    let old = |with: &str| {
        fs::create_dir_all(folder.join("postgres")).expect("make");
        fs::create_dir_all(folder.join(with)).expect("make");
        fs::write(
            folder.join("postgres/postgresql.auto.conf"),
            "# written at every start of the demo\nport = 5432\n",
        )
        .expect("write");
    };
    old("lake");
    drop(Folder::claim(&folder).expect("claim"));
    clean(&folder).expect("clean");
    assert!(!folder.exists());

    old("lake");
    clean(&folder).expect("clean");
    assert!(!folder.exists());

    old("photos");
    refusal(clean(&folder));
    assert!(folder.join("photos").exists() && folder.join("postgres").exists());
}
