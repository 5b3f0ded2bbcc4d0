//! What may be a statement: long and deep enough for everything that people and their programs write.
//!
//! A statement becomes a tree, and the planner walks trees by recursion: `1+1+1...` is as deep as it is long, and so are
//! chains of AND, of UNION, of joins and of parentheses. Where the stack ends the process dies, with everything that was
//! typed. So depth is bounded before anything is parsed, by the words and signs that can make it, and the stacks are
//! large enough for the bound ([`STACK_BYTES`]).

use datafusion::sql::sqlparser::{
    dialect::PostgreSqlDialect,
    keywords::Keyword,
    tokenizer::{Token, Tokenizer},
};

/// Characters of a statement: an IN list of a hundred thousand numbers.
const LONGEST: usize = 1 << 20;

/// Words and signs from the statement's beginning to its innermost part: an OR of five hundred comparisons.
const DEEPEST: usize = 1000;

/// Stack of a thread that plans or runs a statement. The deepest one takes less than half of it in a build without optimisations.
pub const STACK_BYTES: usize = 16 << 20;

/// Why a statement is not even parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreasonable {
    #[error("the statement has {0} bytes, and {LONGEST} are the most")]
    TooLong(usize),
    #[error(
        "the statement nests or chains more than {DEEPEST} operators, keywords and parentheses"
    )]
    TooDeep,
}

/// Part of a statement between two parentheses.
#[derive(Default)]
struct Level {
    /// What may stand one below the other in it, so far.
    chain: usize,
    /// Commas chain as well: tables of FROM are joined, and queries of WITH may read each other.
    commas_chain: bool,
}

/// # Errors
/// It is longer or deeper than the planner can take.
pub(crate) fn check(sql: &str) -> Result<(), Unreasonable> {
    if sql.len() > LONGEST {
        return Err(Unreasonable::TooLong(sql.len()));
    }
    // What cannot be read as tokens the parser refuses with a better reason.
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize() else {
        return Ok(());
    };
    let mut levels = vec![Level::default()];
    let mut depth = 0;
    for token in tokens {
        let Some(level) = levels.last_mut() else {
            break;
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other tokens of SQL are alike here"
        )]
        let links = match token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                level.chain += 1;
                depth += 1;
                levels.push(Level::default());
                0
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                depth -= level.chain;
                levels.pop();
                if levels.is_empty() {
                    levels.push(Level::default());
                }
                0
            }
            Token::Comma if level.commas_chain => 1,
            Token::Comma => {
                depth -= level.chain;
                level.chain = 0;
                0
            }
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "all other keywords of SQL are alike here"
            )]
            Token::Word(word) => match word.keyword {
                Keyword::NoKeyword => 0,
                Keyword::FROM | Keyword::WITH => {
                    level.commas_chain = true;
                    1
                }
                Keyword::SELECT
                | Keyword::WHERE
                | Keyword::GROUP
                | Keyword::ORDER
                | Keyword::HAVING
                | Keyword::VALUES => {
                    level.commas_chain = false;
                    1
                }
                _ => 1,
            },
            Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::DollarQuotedString(_)
            | Token::Whitespace(_)
            | Token::Period
            | Token::SemiColon
            | Token::EOF => 0,
            // Operators, and whatever else there may be.
            _ => 1,
        };
        if let Some(level) = levels.last_mut() {
            level.chain += links;
        }
        depth += links;
        if depth > DEEPEST {
            return Err(Unreasonable::TooDeep);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_by_people_and_programs_is_admitted() {
        let numbers: Vec<String> = (0..50_000).map(|n| format!("-{n}")).collect();
        let rows: Vec<String> = (0..5_000).map(|n| format!("({n}, 'a' || 'b')")).collect();
        let columns: Vec<String> = (0..1_600).map(|n| format!("t.c{n} + 1 as d{n}")).collect();
        for sql in [
            format!("select * from t where n in ({})", numbers.join(", ")),
            format!("select * from (values {}) as v", rows.join(", ")),
            format!("select {} from t", columns.join(", ")),
            format!("select 1 where {}", vec!["a = 1"; 450].join(" or ")),
            "select (((1)))".to_owned(),
            ")))) no statement ((".to_owned(),
            "select 'a string that does not end".to_owned(),
            "select ';((((' || \"((((\"".to_owned(),
        ] {
            assert_eq!(check(&sql), Ok(()), "{}", &sql[..30.min(sql.len())]);
        }
    }

    #[test]
    fn what_no_stack_holds_is_refused() {
        let chain = |part: &str, by: &str| vec![part; 20_000].join(by);
        let brackets = "(".repeat(5_000);
        let with: Vec<String> = (0..2_000).map(|n| format!("t{n} as (select 1)")).collect();
        for sql in [
            format!("select {}", chain("1", "+")),
            format!("select {}", chain("1", "::int + ")),
            format!("select 1 where {}", chain("true", " and ")),
            chain("select 1", " union all "),
            format!("select * from {}", chain("t", ", ")),
            format!("select * from {}", chain("t", " join ")),
            format!("with {} select 1", with.join(", ")),
            format!("select {brackets}1"),
            format!("select {}1", "-".repeat(5_000).replace('-', "- ")),
            format!("select {}1", "not ".repeat(5_000)),
            format!("select {}1", "f(a, ".repeat(5_000)),
            format!("select a{}", "[1]".repeat(5_000)),
        ] {
            assert_eq!(check(&sql), Err(Unreasonable::TooDeep), "{}", &sql[..30]);
        }
        let long = format!("select '{}'", "a".repeat(LONGEST));
        assert!(matches!(check(&long), Err(Unreasonable::TooLong(_))));
    }
}
