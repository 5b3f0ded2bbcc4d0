use fake::{
    Fake as _,
    faker::name::raw::Name,
    locales::{AR_SA, DE_DE, EN, FR_FR, JA_JP, PT_BR, TR_TR, ZH_CN},
};

use crate::world::Dice;

/// Where the names of people come from: a locale of `fake`, or our own list where it has none.
#[derive(Debug)]
pub enum Names {
    Arabic,
    Chinese,
    English,
    French,
    German,
    Japanese,
    Portuguese,
    Turkish,
    Listed {
        first: &'static [&'static str],
        last: &'static [&'static str],
        /// Between the two; where it is empty the family name comes first.
        separator: &'static str,
    },
}

impl Names {
    /// The full name of somebody.
    pub fn name(&self, dice: &mut Dice) -> String {
        let rng = dice.rng();
        match self {
            Self::Arabic => Name(AR_SA).fake_with_rng(rng),
            Self::Chinese => Name(ZH_CN).fake_with_rng(rng),
            Self::English => Name(EN).fake_with_rng(rng),
            Self::French => Name(FR_FR).fake_with_rng(rng),
            Self::German => Name(DE_DE).fake_with_rng(rng),
            Self::Japanese => Name(JA_JP).fake_with_rng(rng),
            Self::Portuguese => Name(PT_BR).fake_with_rng(rng),
            Self::Turkish => Name(TR_TR).fake_with_rng(rng),
            Self::Listed {
                first,
                last,
                separator,
            } => {
                let (first, last) = (*dice.pick(first), *dice.pick(last));
                if separator.is_empty() {
                    format!("{last}{first}")
                } else {
                    format!("{first}{separator}{last}")
                }
            }
        }
    }
}
