//! What people write in each language, and where those who write it live.

mod ar;
mod de;
mod en;
mod es;
mod fr;
mod hi;
mod ja;
mod ko;
mod names;
mod phrases;
mod pt;
mod ru;
mod tr;
mod zh;

pub use names::Names;
pub use phrases::{Fragment, Phrasebook};

/// Every language, the most frequent first.
pub const LANGUAGES: [Language; 12] = [
    en::ENGLISH,
    ja::JAPANESE,
    es::SPANISH,
    pt::PORTUGUESE,
    ar::ARABIC,
    fr::FRENCH,
    de::GERMAN,
    ko::KOREAN,
    hi::HINDI,
    ru::RUSSIAN,
    tr::TURKISH,
    zh::CHINESE,
];

/// The raw material of one language.
#[derive(Debug)]
pub struct Language {
    /// BCP 47, as in the column `lang`.
    pub code: &'static str,
    /// Share of the users, in percent.
    pub weight: u32,
    pub names: Names,
    /// Sentences with the placeholders `{name} {city} {company} {job} {slogan} {bs} {n}`. No `#`, `@` or link: those are
    /// added beside them, so that the entities are complete.
    pub phrases: &'static [&'static str],
    /// Without `#`, the most used first.
    pub hashtags: &'static [&'static str],
    pub cities: &'static [City],
}

/// A place that tweets are sent from.
#[derive(Debug)]
pub struct City {
    pub name: &'static str,
    /// ISO 3166-1 alpha-2.
    pub country_code: &'static str,
    /// East of Greenwich, in 1e-5 degrees.
    pub longitude: i32,
    /// North of the equator, in 1e-5 degrees.
    pub latitude: i32,
}

impl City {
    const fn new(
        name: &'static str,
        country_code: &'static str,
        longitude: i32,
        latitude: i32,
    ) -> Self {
        Self {
            name,
            country_code,
            longitude,
            latitude,
        }
    }
}

/// The language that is spoken in a country (its place in [`LANGUAGES`]); English where we do not know.
pub fn language_of_country(country_code: &str) -> usize {
    LANGUAGES
        .iter()
        .position(|language| {
            language
                .cities
                .iter()
                .any(|city| city.country_code == country_code)
        })
        .unwrap_or(0)
}

/// The place of a language code in [`LANGUAGES`]; English for one we do not know.
pub fn language_of_code(code: &str) -> usize {
    LANGUAGES
        .iter()
        .position(|language| language.code == code)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_add_up_to_a_hundred() {
        assert_eq!(
            LANGUAGES
                .iter()
                .map(|language| language.weight)
                .sum::<u32>(),
            100
        );
    }

    #[test]
    fn phrases_hold_no_entity_of_their_own_and_hashtags_are_one_word() {
        for language in &LANGUAGES {
            for phrase in language.phrases {
                assert!(
                    !phrase.contains(['#', '@', '\0']) && !phrase.contains("://"),
                    "{phrase}"
                );
            }
            for tag in language.hashtags {
                assert!(
                    tag.chars()
                        .all(|c| c.is_alphanumeric() || c == '_' || !c.is_ascii()),
                    "{tag}"
                );
                assert!(
                    !tag.contains(char::is_whitespace) && !tag.contains('#'),
                    "{tag}"
                );
            }
            for city in language.cities {
                assert!(
                    city.longitude.abs() <= 18_000_000 && city.latitude.abs() <= 9_000_000,
                    "{}",
                    city.name
                );
            }
        }
    }

    #[test]
    fn languages_are_found_again() {
        for (place, language) in LANGUAGES.iter().enumerate() {
            assert_eq!(language_of_code(language.code), place);
        }
        assert_eq!(LANGUAGES[language_of_country("JP")].code, "ja");
        assert_eq!(language_of_country("??"), 0);
    }
}
