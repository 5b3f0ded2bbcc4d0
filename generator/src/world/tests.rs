//! The same seed makes the same rows, and rows are as the tables want them.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{
    EntityKind, Found, World,
    compose::{Composer, TWEET_CHARS},
    dice::Dice,
};
use crate::{
    batch::{Batch, Form, Transaction},
    language::{LANGUAGES, Phrasebook},
    mix::Mix,
};

fn transactions(seed: u64, mix: &str, sizes: &[usize], form: Form) -> Vec<Transaction> {
    let mut world = World::new(seed, false, mix.parse().unwrap(), Found::default());
    sizes
        .iter()
        .map(|size| {
            let mut batch = Batch::new(form, Vec::new());
            for _ in 0..*size {
                assert!(world.change(&mut batch));
            }
            batch.finish()
        })
        .collect()
}

/// The lines of all COPYs, cut into fields, escapes undone.
fn copied(transactions: &[Transaction]) -> Vec<Vec<Option<String>>> {
    transactions
        .iter()
        .filter_map(Transaction::copy)
        .flat_map(|copy| {
            str::from_utf8(copy)
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .map(|line| {
            line.split('\t')
                .map(|field| {
                    (field != "\\N").then(|| field.replace("\\n", "\n").replace("\\\\", "\\"))
                })
                .collect()
        })
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_rows_however_they_are_batched() {
    let mix = "insert=80,update=15,delete=5";
    let lines = |sizes: &[usize]| copied(&transactions(42, mix, sizes, Form::Copy));
    let whole = lines(&[4_000]);
    assert!(whole.len() > 3_000);
    assert_eq!(whole, lines(&[1_000; 4]));
    assert_eq!(whole, lines(&[1, 7, 992, 3_000]));
    assert_ne!(whole, copied(&transactions(43, mix, &[4_000], Form::Copy)));
}

#[test]
fn rows_have_the_columns_of_the_table_and_rising_ids() {
    let rows = copied(&transactions(1, "insert=1", &[3_000], Form::Copy));
    assert_eq!(rows.len(), 3_000);
    let columns = crate::batch::TWEET_COLUMNS.split(',').count();
    let mut last = 0;
    let mut languages: HashMap<String, usize> = HashMap::new();
    let (mut answers, mut retweets, mut quotes, mut placed, mut notes) = (0, 0, 0, 0, 0);
    for row in &rows {
        assert_eq!(row.len(), columns);
        let id: i64 = row[0].as_ref().unwrap().parse().unwrap();
        assert!(id > last);
        for reference in [&row[16], &row[17], &row[18]].into_iter().flatten() {
            assert!(
                reference.parse::<i64>().unwrap() < id,
                "only earlier tweets are referred to"
            );
        }
        last = id;
        *languages.entry(row[3].clone().unwrap()).or_default() += 1;
        answers += usize::from(row[16].is_some());
        retweets += usize::from(row[17].is_some());
        quotes += usize::from(row[18].is_some());
        placed += usize::from(row[7].is_some());
        notes += usize::from(row[2].as_ref().unwrap().len() > 5_000);
    }
    assert_eq!(languages.len(), LANGUAGES.len(), "{languages:?}");
    assert!(
        answers > 300 && retweets > 300 && quotes > 100 && placed > 100,
        "{answers} {retweets} {quotes} {placed}"
    );
    assert!((1..20).contains(&notes), "{notes}");
}

#[test]
fn a_mix_without_inserts_needs_tweets() {
    let mut world = World::new(1, false, "delete=1".parse().unwrap(), Found::default());
    assert!(!world.change(&mut Batch::new(Form::Values, Vec::new())));
}

#[test]
fn evidence_is_a_tweet_that_stays() {
    for transaction in transactions(9, "insert=1,delete=1", &[50; 40], Form::Copy) {
        if let Some(id) = transaction.evidence() {
            let copied = copied(std::slice::from_ref(&transaction));
            assert!(
                copied
                    .iter()
                    .any(|row| row[0].as_deref() == Some(&id.to_string()))
            );
            assert!(!transaction.after().contains(&id.to_string()));
        }
    }
}

#[test]
fn an_update_statement_names_no_row_twice() {
    let sizes = [500; 4];
    let mut statements = 0;
    for transaction in transactions(5, "insert=20,update=80", &sizes, Form::Copy) {
        for statement in transaction
            .after()
            .split_inclusive(";\n")
            .filter(|s| s.starts_with("update"))
        {
            statements += 1;
            let mut ids: Vec<&str> = statement
                .lines()
                .filter_map(|line| {
                    let (_, row) = line
                        .split_once("(values (")
                        .or_else(|| line.split_once('('))?;
                    row.split(',').next()
                })
                .filter(|id| id.len() > 8 && id.bytes().all(|b| b.is_ascii_digit()))
                .collect();
            let rows = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), rows, "{statement}");
        }
    }
    assert!(statements > 16);
}

fn check(composer: &Composer) {
    let text = &composer.text;
    assert_eq!(text.chars().count(), composer.chars() as usize);
    assert!(!text.contains('\0'));
    let points: Vec<char> = text.chars().collect();
    for entity in &composer.entities {
        let part: String = points[entity.start as usize..entity.end as usize]
            .iter()
            .collect();
        assert_eq!(part, entity.slice(text));
        match entity.kind {
            EntityKind::Hashtag => assert!(part.starts_with('#') && part.len() > 1, "{part}"),
            EntityKind::Mention { .. } => {
                assert!(part.starts_with('@') && part.len() > 1, "{part}")
            }
            EntityKind::Link(_) => assert!(
                part.starts_with("https://t.co/") && part.len() == 23,
                "{part}"
            ),
        }
    }
    let count = |mark: &str| text.matches(mark).count();
    assert_eq!(
        count("#") + count("@") + count("https://"),
        composer.entities.len(),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn texts_fit_and_entities_point_at_their_words(seed: u64) {
        let mut dice = Dice::new(seed);
        let books = Phrasebook::all(&mut dice);
        let (mut composer, mut retweet) = (Composer::default(), Composer::default());
        for _ in 0..20 {
            for (language, book) in LANGUAGES.iter().zip(&books) {
                composer.clear();
                if dice.one_in(2) {
                    composer.mention(5, "somebody_1ab");
                }
                composer.body(&mut dice, language, &book.sentences);
                composer.mention(6, "somebody_else_9zz");
                check(&composer);
                prop_assert!((1..=TWEET_CHARS).contains(&composer.chars()));

                retweet.clear();
                retweet.retweet(7, "original_author_42", &composer.text, &composer.entities);
                prop_assert!(retweet.chars() <= TWEET_CHARS);
                let cut = retweet.text.ends_with('…');
                if !cut {
                    check(&retweet);
                    prop_assert_eq!(retweet.entities.len(), composer.entities.len() + 1);
                }

                composer.clear();
                composer.note(&mut dice, language, &book.sentences);
                check(&composer);
                prop_assert!(composer.text.len() >= 6_000);
            }
        }
    }

    #[test]
    fn every_row_is_text_without_nul(seed: u64) {
        let mix = Mix::default().to_string();
        for form in [Form::Copy, Form::Values] {
            for transaction in transactions(seed, &mix, &[200], form) {
                let copy = transaction.copy().map_or("", |copy| str::from_utf8(copy).unwrap_or("\0"));
                prop_assert!(!transaction.before().contains('\0'));
                prop_assert!(!transaction.after().contains('\0'));
                prop_assert!(!copy.contains('\0'));
            }
        }
    }
}
