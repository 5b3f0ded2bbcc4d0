use proptest::prelude::*;

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn references_are_replaced_where_a_provider_knows_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    fs::write(
        folder.path().join("db.properties"),
        "user=u\npass\\:word = p\\u00e4\n",
    )
    .unwrap();
    fs::write(folder.path().join("token"), "t\n").unwrap();
    let providers = Providers::default();
    for (text, want) in [
        ("plain", Ok("plain".to_owned())),
        ("$1 ${1} ${} ${x", Ok("$1 ${1} ${} ${x".to_owned())),
        ("${vault:a:b}", Ok("${vault:a:b}".to_owned())),
        (
            &format!(
                "<${{file:{path}/db.properties:user}}|${{file:{path}/db.properties:pass:word}}>"
            ),
            Ok("<u|p\u{e4}>".to_owned()),
        ),
        (&format!("${{directory:{path}:token}}"), Ok("t".to_owned())),
        (
            &format!("${{directory:{path}:../token}}"),
            Err("not the name of a file"),
        ),
        (
            &format!("${{file:{path}/db.properties:none}}"),
            Err("has no key `none`"),
        ),
        (&format!("${{file:{path}/none:user}}"), Err("No such file")),
        ("${env:TRIBUTARY_NO_SUCH_VARIABLE}", Err("is not set")),
        ("${env:a:b}", Err("want `${env:NAME}`")),
    ] as [(&str, Result<String, &str>); 10]
    {
        match (providers.resolve(text), want) {
            (Ok(resolved), Ok(want)) => assert_eq!(resolved, want, "{text}"),
            (Err(reason), Err(word)) => assert!(reason.contains(word), "{text}: {reason}"),
            (resolved, want) => panic!("{text}: {resolved:?}, not {want:?}"),
        }
    }
    // Cargo sets it for its tests.
    assert_eq!(
        providers.resolve("${env:CARGO_PKG_NAME}").as_deref(),
        Ok("cdc")
    );
}

#[test]
fn a_worker_says_which_providers_there_are() {
    const PACKAGE: &str = "org.apache.kafka.common.config.provider";
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("a"), "1").unwrap();
    fs::write(folder.path().join("b"), "2").unwrap();
    let (file, env) = (
        format!("{PACKAGE}.DirectoryConfigProvider"),
        format!("{PACKAGE}.EnvVarConfigProvider"),
    );
    let allowed = inside.display().to_string();
    let providers = Providers::from_worker(&map(&[
        ("config.providers", "secrets, e"),
        ("config.providers.secrets.class", &file),
        ("config.providers.secrets.param.allowed.paths", &allowed),
        ("config.providers.e.class", &env),
        ("config.providers.e.param.allowlist.pattern", "CARGO_.*"),
    ]))
    .unwrap();
    let path = folder.path().display();
    assert_eq!(
        providers.resolve(&format!("${{secrets:{path}/inside:a}}")),
        Ok("1".to_owned())
    );
    for text in [
        format!("${{secrets:{path}:b}}"),
        format!("${{secrets:{path}/inside/..:b}}"),
        "${e:PATH}".to_owned(),
    ] {
        assert!(providers.resolve(&text).is_err(), "{text}");
    }
    assert_eq!(
        providers.resolve("${env:PATH}"),
        Ok("${env:PATH}".to_owned())
    );
    assert!(
        Providers::from_worker(&map(&[("config.providers", "")]))
            .unwrap()
            .0
            .is_empty()
    );
    for class in [None, Some("com.example.VaultConfigProvider")] {
        let mut properties = map(&[("config.providers", "v")]);
        properties
            .extend(class.map(|class| ("config.providers.v.class".to_owned(), class.to_owned())));
        assert!(Providers::from_worker(&properties).is_err());
    }
}

#[test]
fn a_problem_does_not_tell_a_value_that_came_from_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "has space").unwrap();
    let reference = format!("${{directory:{}:secret}}", folder.path().display());
    let report = Providers::default()
        .parse(&map(&[("name", "n"), ("topic.prefix", &reference)]))
        .unwrap_err()
        .to_string();
    assert!(
        report.contains(&reference) && !report.contains("has space"),
        "{report}"
    );
}

#[test]
fn only_whole_references_may_be_shown() {
    for (text, want) in [
        ("${env:NAME}", true),
        (" ${file:/a/b:c} ", true),
        ("${1}", false),
        ("x${env:NAME}", false),
        ("${env:A}secret${env:B}", false),
        ("", false),
    ] {
        assert_eq!(is_reference(text), want, "{text}");
    }
}

proptest! {
    #[test]
    fn text_without_references_stays(text in "[^$]*") {
        prop_assert_eq!(Providers::default().resolve(&text), Ok(text));
    }

    #[test]
    fn references_are_replaced_in_any_surroundings(before in "[^$]*", between in "[^$]*", after in "[^$]*") {
        let text = format!("{before}${{env:CARGO_PKG_NAME}}{between}${{env:CARGO_PKG_NAME}}{after}");
        prop_assert_eq!(Providers::default().resolve(&text), Ok(format!("{before}cdc{between}cdc{after}")));
    }

    #[test]
    fn any_text_is_no_panic(text in "[${}:a-z/.]{0,40}") {
        let _ = Providers::default().resolve(&text);
        let _ = is_reference(&text);
    }
}
