//! Which SCRAM is used: PostgreSQL manual, "SASL Authentication"; RFC 5802, section 6.

use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_tls::ChannelBindingMode;

/// What the server offers, and what the connection has to bind to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub plain: bool,
    pub plus: bool,
    pub is_tls: bool,
    /// The data of `tls-server-end-point`.
    pub end_point: Option<Vec<u8>>,
}

/// The mechanism and the first flag of its first message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// `p=tls-server-end-point`
    Plus(Vec<u8>),
    /// `y`: we could bind, and the server does not offer it. A server that did offer it finds that somebody took its
    /// offer away, and refuses.
    Unrequested,
    /// `n`: we cannot bind.
    Unsupported,
}

impl Offer {
    /// # Errors
    /// Why none of what is offered may be used.
    pub(super) fn choose(self, mode: ChannelBindingMode) -> Result<Choice, &'static str> {
        if self.plus && !self.is_tls {
            return Err(
                "the server offers channel binding without TLS: something between may have taken TLS away",
            );
        }
        let end_point = self
            .end_point
            .filter(|_| mode != ChannelBindingMode::Disable);
        let choice = match (self.plus, self.plain, end_point) {
            (true, _, Some(data)) => Choice::Plus(data),
            (false, true, Some(_)) => Choice::Unrequested,
            (_, true, None) => Choice::Unsupported,
            (true, false, None) => {
                return Err("the server wants channel binding, which this connection cannot give");
            }
            (false, false, _) => return Err("the server offers no mechanism that is supported"),
        };
        if mode == ChannelBindingMode::Require && !matches!(choice, Choice::Plus(_)) {
            return Err("channel binding is required, and this connection cannot have it");
        }
        Ok(choice)
    }
}

impl Choice {
    pub(super) fn mechanism(&self) -> &'static str {
        match self {
            Self::Plus(_) => SCRAM_SHA_256_PLUS,
            Self::Unrequested | Self::Unsupported => SCRAM_SHA_256,
        }
    }

    pub(super) fn exchange(self, password: &[u8]) -> ScramSha256 {
        let binding = match self {
            Self::Plus(data) => ChannelBinding::tls_server_end_point(data),
            Self::Unrequested => ChannelBinding::unrequested(),
            Self::Unsupported => ChannelBinding::unsupported(),
        };
        ScramSha256::new(password, binding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_common_mechanism_is_chosen_and_a_downgrade_is_told() {
        use ChannelBindingMode as Mode;
        let data = vec![1, 2, 3];
        let offer = |plain, plus, is_tls, bound: bool| Offer {
            plain,
            plus,
            is_tls,
            end_point: bound.then(|| data.clone()),
        };
        for (offered, mode, choice, flag) in [
            (
                offer(true, true, true, true),
                Mode::Prefer,
                Some(Choice::Plus(data.clone())),
                "p=tls-server-end-point,,",
            ),
            (
                offer(true, true, true, true),
                Mode::Require,
                Some(Choice::Plus(data.clone())),
                "p=tls-server-end-point,,",
            ),
            (
                offer(true, true, true, true),
                Mode::Disable,
                Some(Choice::Unsupported),
                "n,,",
            ),
            (
                offer(true, false, true, true),
                Mode::Prefer,
                Some(Choice::Unrequested),
                "y,,",
            ),
            (offer(true, false, true, true), Mode::Require, None, ""),
            (
                offer(true, true, true, false),
                Mode::Prefer,
                Some(Choice::Unsupported),
                "n,,",
            ),
            (offer(false, true, true, false), Mode::Prefer, None, ""),
            (
                offer(true, false, false, false),
                Mode::Prefer,
                Some(Choice::Unsupported),
                "n,,",
            ),
            (offer(true, false, false, false), Mode::Require, None, ""),
            (offer(true, true, false, false), Mode::Prefer, None, ""),
            (offer(false, false, true, true), Mode::Prefer, None, ""),
        ] {
            let label = format!("{offered:?} {mode:?}");
            let chosen = offered.choose(mode).ok();
            assert_eq!(chosen, choice, "{label}");
            if let Some(chosen) = chosen {
                let plus = matches!(chosen, Choice::Plus(_));
                assert_eq!(chosen.mechanism() == SCRAM_SHA_256_PLUS, plus);
                let exchange = chosen.exchange(b"x");
                assert!(exchange.message().starts_with(flag.as_bytes()), "{label}");
            }
        }
    }
}
