//! References such as `${file:...}`: which providers there are, and that nothing outside of their folders is read or
//! told.

use proptest::prelude::*;

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

const PACKAGE: &str = "org.apache.kafka.common.config.provider";

/// `file` and `directory` of this folder, and `env` of the variables that match.
fn providers(folder: &Path, pattern: &str) -> Providers {
    let folder = folder.display().to_string();
    let class = |name: &str| format!("{PACKAGE}.{name}ConfigProvider");
    Providers::from_worker(&map(&[
        ("config.providers", "file, directory, env"),
        ("config.providers.file.class", &class("File")),
        ("config.providers.file.param.allowed.paths", &folder),
        ("config.providers.directory.class", &class("Directory")),
        ("config.providers.directory.param.allowed.paths", &folder),
        ("config.providers.env.class", &class("EnvVar")),
        ("config.providers.env.param.allowlist.pattern", pattern),
    ]))
    .unwrap()
}

#[test]
fn there_are_no_providers_but_those_that_are_named() {
    let unnamed = Providers::from_worker(&map(&[("group.id", "g")])).unwrap();
    for (text, provider) in [
        ("${env:PATH}", "env"),
        ("${file:/etc/passwd:root}", "file"),
        ("${directory:/etc:hostname}", "directory"),
    ] {
        for providers in [&Providers::default(), &unnamed] {
            assert_eq!(providers.resolve(text).as_deref(), Ok(text));
        }
        let settings = map(&[
            ("name", "n"),
            ("topic.prefix", "p"),
            ("database.hostname", "h"),
            ("database.user", "u"),
            ("database.dbname", "d"),
            ("database.password", text),
        ]);
        let notice = Notice::NoProvider {
            property: "database.password".to_owned(),
            provider: provider.to_owned(),
        };
        let parsed = unnamed.parse(&settings).unwrap();
        assert!(parsed.notices.contains(&notice), "{:?}", parsed.notices);
    }
}

#[test]
fn a_provider_says_what_it_gives_out() {
    for (class, parameter) in [
        ("FileConfigProvider", "allowed.paths"),
        ("DirectoryConfigProvider", "allowed.paths"),
        ("EnvVarConfigProvider", "allowlist.pattern"),
    ] {
        let class = format!("{PACKAGE}.{class}");
        let mut properties = map(&[
            ("config.providers", "p"),
            ("config.providers.p.class", &class),
        ]);
        for value in [None, Some(" ")] {
            let parameter = format!("config.providers.p.param.{parameter}");
            properties.extend(value.map(|value| (parameter.clone(), value.to_owned())));
            let error = Providers::from_worker(&properties).unwrap_err();
            assert!(error.to_string().contains(&parameter), "{error}");
        }
    }
}

#[test]
fn nothing_outside_of_the_folders_is_read_or_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
    fs::create_dir_all(inside.join("real")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "k=planted").unwrap();
    fs::write(inside.join("real/own"), "k=v").unwrap();
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, inside.join(name)).unwrap();
    link(&outside.join("secret"), "secret");
    link(&outside, "folder");
    // As Kubernetes mounts secrets.
    link(Path::new("real/own"), "own");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        inside.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let providers = providers(&inside, "NOTHING");
    let (root, out) = (inside.display(), outside.display());
    for reference in [
        format!("file:{root}/secret:k"),
        format!("file:{root}/folder/secret:k"),
        format!("file:{root}/../outside/secret:k"),
        format!("file:{out}/secret:k"),
        format!("file:{out}/nothing:k"),
        format!("file:{root}/../outside/nothing:k"),
        format!("directory:{root}:secret"),
        format!("directory:{root}/folder:secret"),
        format!("directory:{root}/../outside:secret"),
        format!("directory:{out}:secret"),
        format!("directory:{out}:nothing"),
    ] {
        let error = providers.resolve(&format!("${{{reference}}}")).unwrap_err();
        assert!(error.ends_with("allowed.paths do not admit it"), "{error}");
    }
    for reference in [
        format!("file:{root}/pipe:k"),
        format!("directory:{root}:pipe"),
        format!("directory:{root}:real"),
        format!("directory:{root}:nothing"),
    ] {
        assert!(
            providers.resolve(&format!("${{{reference}}}")).is_err(),
            "{reference}"
        );
    }
    let own = providers.resolve(&format!("${{file:{root}/own:k}}${{directory:{root}:own}}"));
    assert_eq!(own.as_deref(), Ok("vk=v"));
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
    let providers = providers(folder.path(), "CARGO_.*|TRIBUTARY_.*|a|a:b");
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
        Ok(env!("CARGO_PKG_NAME"))
    );
}

#[test]
fn a_worker_says_which_providers_there_are() {
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
    assert!(providers.resolve("${e:PATH}").is_err());
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
    fs::write(
        folder.path().join("secret"),
        "Planted Value, and more of it",
    )
    .unwrap();
    let reference = format!("${{directory:{}:secret}}", folder.path().display());
    let providers = providers(folder.path(), "NOTHING");
    for property in crate::properties() {
        let report = providers.parse(&map(&[("name", "n"), (property.name, &reference)]));
        let report = report.unwrap_err();
        let text = format!("{report} {report:?}").to_lowercase();
        assert!(
            !text.contains("planted") && !text.contains("more of"),
            "{text}"
        );
    }
}

#[test]
fn sql_may_not_refer_to_values() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pin"), "4711").unwrap();
    let providers = providers(folder.path(), "NOTHING");
    let sql = format!(
        "select reverse('${{directory:{}:pin}}')::int",
        folder.path().display()
    );
    for property in [
        "database.initial.statements",
        "heartbeat.action.query",
        "snapshot.select.statement.overrides",
        "snapshot.select.statement.overrides.public.t",
    ] {
        let report = providers.parse(&map(&[("name", "n"), (property, &sql)]));
        let report = report.unwrap_err();
        let [problem] = report.problems.as_slice() else {
            panic!("{property}: {report}");
        };
        assert_eq!(problem.property, property);
        assert!(problem.rule.contains("SQL may not refer"), "{report}");
        // What names no provider is SQL as it stands.
        let settings = map(&[("name", "n"), (property, "select '${x:y}'")]);
        let report = providers.parse(&settings).unwrap_err();
        assert!(
            !report.to_string().contains("SQL may not refer"),
            "{report}"
        );
    }
}

#[test]
fn what_a_setting_is_with_its_references_is_withheld_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("short"), "q7").unwrap();
    fs::write(folder.path().join("word"), "kV9-zq").unwrap();
    let (short, word) = (
        format!("${{directory:{}:short}}", folder.path().display()),
        format!("${{directory:{}:word}}", folder.path().display()),
    );
    let providers = providers(folder.path(), "NOTHING");
    let parsed = providers.parse(&map(&[
        ("name", "n"),
        ("topic.prefix", "p"),
        ("database.hostname", "h"),
        ("database.user", &format!("x{word}")),
        ("database.dbname", &format!("w0w{short}")),
    ]));
    assert_eq!(parsed.unwrap().config.database.user, "xkV9-zq");
    let told = service::without_withheld("role \"xkV9-zq\" of \"w0wq7\" in xkv9-zqx.public.t");
    assert!(
        !told.to_lowercase().contains("v9-z") && !told.contains("w0wq7"),
        "{told}"
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
        prop_assert_eq!(providers(Path::new("/nowhere"), ".*").resolve(&text), Ok(text));
    }

    #[test]
    fn references_are_replaced_in_any_surroundings(before in "[^$]*", between in "[^$]*", after in "[^$]*") {
        let text = format!("{before}${{env:CARGO_PKG_NAME}}{between}${{env:CARGO_PKG_NAME}}{after}");
        let resolved = providers(Path::new("/nowhere"), "CARGO_.*").resolve(&text);
        const NAME: &str = env!("CARGO_PKG_NAME");
        prop_assert_eq!(resolved, Ok(format!("{before}{NAME}{between}{NAME}{after}")));
    }

    #[test]
    fn any_text_is_no_panic(text in "[${}:a-z/.]{0,40}") {
        let _ = providers(Path::new("/nowhere"), "[A-Z]*").resolve(&text);
        let _ = is_reference(&text);
    }
}
