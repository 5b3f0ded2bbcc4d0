use fake::{
    Fake as _,
    faker::{
        company::raw::{Bs, CatchPhrase, CompanyName},
        job::raw::Title,
    },
    locales::EN,
};

use super::{LANGUAGES, Language};
use crate::world::Dice;

/// Ready text with its length in code points, so that the hot path counts nothing.
#[derive(Debug, Clone)]
pub struct Fragment {
    pub text: Box<str>,
    pub chars: u32,
}

impl Fragment {
    fn new(text: String) -> Self {
        let chars = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Self {
            text: text.into_boxed_str(),
            chars,
        }
    }
}

/// What `fake` is asked for once, at start, so that a row only copies from it: asking it for every row would cost
/// tens of allocations a row.
#[derive(Debug)]
pub struct Phrasebook {
    pub sentences: Vec<Fragment>,
    pub names: Vec<Box<str>>,
    pub descriptions: Vec<Box<str>>,
}

/// Variants of every phrase template; enough that neighbouring tweets differ, small enough to stay in the CPU's cache.
const VARIANTS: usize = 12;
const NAMES: usize = 256;
const DESCRIPTIONS: usize = 64;

impl Phrasebook {
    /// One for each of [`LANGUAGES`].
    pub fn all(dice: &mut Dice) -> Vec<Self> {
        LANGUAGES
            .iter()
            .map(|language| Self::new(language, dice))
            .collect()
    }

    fn new(language: &Language, dice: &mut Dice) -> Self {
        let names: Vec<Box<str>> = (0..NAMES)
            .map(|_| language.names.name(dice).into_boxed_str())
            .collect();
        let sentences = language
            .phrases
            .iter()
            .flat_map(|template| {
                let variants = if template.contains('{') { VARIANTS } else { 1 };
                std::iter::repeat_n(*template, variants)
            })
            .map(|template| Fragment::new(fill(template, language, &names, dice)))
            .collect::<Vec<_>>();
        let descriptions = (0..DESCRIPTIONS)
            .map(|_| {
                let city = dice.pick(language.cities).name;
                let title: String = Title(EN).fake_with_rng(dice.rng());
                let sentence = &dice.pick(&sentences).text;
                format!("{title} | {city} | {sentence}").into_boxed_str()
            })
            .collect();
        Self {
            sentences,
            names,
            descriptions,
        }
    }
}

fn fill(template: &str, language: &Language, names: &[Box<str>], dice: &mut Dice) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((placeholder, after)) = after.split_once('}') else {
            rest = after;
            break;
        };
        match placeholder {
            "name" => text.push_str(dice.pick::<Box<str>>(names)),
            "city" => text.push_str(dice.pick(language.cities).name),
            "company" => text.push_str(&CompanyName(EN).fake_with_rng::<String, _>(dice.rng())),
            "job" => text.push_str(&Title(EN).fake_with_rng::<String, _>(dice.rng())),
            "slogan" => text.push_str(&CatchPhrase(EN).fake_with_rng::<String, _>(dice.rng())),
            "bs" => text.push_str(&Bs(EN).fake_with_rng::<String, _>(dice.rng())),
            _ => text.push_str(&(2 + dice.below(88)).to_string()),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_is_filled_and_a_sentence_fits_into_a_tweet() {
        for book in Phrasebook::all(&mut Dice::new(7)) {
            for sentence in &book.sentences {
                assert!(
                    !sentence.text.contains(['{', '}', '#', '@', '\0']),
                    "{}",
                    sentence.text
                );
                assert!((1..=200).contains(&sentence.chars), "{}", sentence.text);
                assert_eq!(sentence.chars as usize, sentence.text.chars().count());
            }
            assert!(book.names.iter().all(|name| !name.is_empty()));
        }
    }
}
