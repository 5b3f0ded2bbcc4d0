//! What was found, as a screen and as a document.

use std::fmt::Write as _;

use serde_json::json;
use service::ExitStatus;

use super::finding::{Finding, Mend, Severity};

/// Tables and lines of a remedy that the screen has of one finding; the document has all.
const SHOWN: usize = 8;

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Report {
    facts: Vec<(&'static str, String)>,
    findings: Vec<Finding>,
    blind: bool,
}

impl Report {
    /// Something that is as it should be, or is good to know.
    pub fn fact(&mut self, of: &'static str, what: impl Into<String>) {
        self.facts.push((of, what.into()));
    }

    pub fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Something that was asked for could not be looked at.
    pub fn could_not_look(&mut self, code: &'static str, what: impl Into<String>, means: &str) {
        self.blind = true;
        self.add(Finding::error(code, what).means(means));
    }

    /// As [`Self::could_not_look`], of somebody who said why. The last line of a hint is what mends it.
    pub fn refused(&mut self, code: &'static str, what: &str, told: &str, hint: &str) {
        self.blind = true;
        self.add(
            Finding::error(code, format!("{what}: {}.", one_line(told)))
                .means("Nothing about it could be looked at.")
                .words(hint),
        );
    }

    /// The answer to a question; where there is none, a finding says why.
    pub fn seen<T>(&mut self, answer: Result<T, cdc::Error>) -> Option<T> {
        answer.map_err(|error| self.unseen(&error)).ok()
    }

    fn unseen(&mut self, error: &cdc::Error) {
        let told = service::render_error(error, None);
        let told = one_line(told.trim_start_matches("error: "));
        self.add(
            Finding::warning(
                "not-seen",
                format!("One question was not answered: {told}."),
            )
            .means("What it is about may be right or wrong.")
            .words(error.hint()),
        );
    }

    pub fn count(&self, severity: Severity) -> usize {
        let alike = |finding: &&Finding| finding.severity == severity;
        self.findings.iter().filter(alike).count()
    }

    /// 0: nothing that needs a hand; 1: errors or warnings; 2: something could not be looked at.
    pub fn status(&self) -> ExitStatus {
        if self.blind {
            return ExitStatus::Configuration;
        }
        match self.count(Severity::Error) + self.count(Severity::Warning) {
            0 => ExitStatus::Clean,
            _ => ExitStatus::Halted,
        }
    }

    /// The worst first, in the order in which they were found.
    fn ordered(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        findings.sort_by_key(|finding| finding.severity);
        findings
    }

    /// One document, whose codes and fields stay as they are.
    pub fn document(&self) -> String {
        let facts: serde_json::Map<String, serde_json::Value> = {
            let mut by_part: serde_json::Map<String, serde_json::Value> = Default::default();
            for (of, what) in &self.facts {
                let list = by_part.entry(*of).or_insert_with(|| json!([]));
                if let Some(list) = list.as_array_mut() {
                    list.push(json!(what));
                }
            }
            by_part
        };
        let document = json!({
            "format": 1,
            "exit_code": self.status() as u8,
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "notes": self.count(Severity::Note),
            "facts": facts,
            "findings": self.ordered(),
        });
        service::without_withheld(&format!("{document:#}")).into_owned()
    }

    /// For people.
    pub fn screen(&self) -> String {
        let mut text = String::new();
        for (of, what) in &self.facts {
            let _ = writeln!(text, "{of:<10} {what}");
        }
        for finding in self.ordered() {
            let _ = writeln!(
                text,
                "\n{:<7} {} [{}]",
                finding.severity.word(),
                finding.what,
                finding.code
            );
            if !finding.on.is_empty() {
                let _ = writeln!(text, "        on     {}", shortened(&finding.on));
            }
            if !finding.means.is_empty() {
                let _ = writeln!(text, "        means  {}", finding.means);
            }
            remedy(&mut text, &finding.mend);
        }
        let errors = self.count(Severity::Error);
        let (warnings, notes) = (self.count(Severity::Warning), self.count(Severity::Note));
        if errors + warnings + notes == 0 {
            let _ = write!(text, "\nnothing is in the way");
        } else {
            let _ = write!(
                text,
                "\n{}, {}, {}",
                counted(errors, "error"),
                counted(warnings, "warning"),
                counted(notes, "note")
            );
        }
        service::without_withheld(&text).into_owned()
    }
}

fn remedy(text: &mut String, mend: &Mend) {
    let (word, lines) = match mend {
        Mend::Sql(lines) => ("sql", lines),
        Mend::Command(lines) => ("run", lines),
        Mend::Property(lines) => ("set", lines),
        Mend::Words(lines) => ("do", lines),
    };
    let mut word = word;
    for line in lines.iter().take(SHOWN) {
        let _ = writeln!(text, "        {word:<6} {line}");
        word = "";
    }
    if lines.len() > SHOWN {
        let _ = writeln!(
            text,
            "               ... and {} more lines, which --json has",
            lines.len() - SHOWN
        );
    }
}

/// The first of many names, and how many more there are.
fn shortened(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = match names.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}

pub fn counted(number: usize, of: &str) -> String {
    match number {
        1 => format!("1 {of}"),
        number => format!("{number} {of}s"),
    }
}

/// An error's lines as one, without a full stop.
pub fn one_line(told: &str) -> String {
    let lines: Vec<&str> = told
        .lines()
        .map(|line| line.trim_start_matches("caused by: ").trim())
        .collect();
    lines.join(": ").trim_end_matches('.').to_owned()
}
