use service::ExitStatus;

use crate::settings::SettingsError;

/// Why the process ends with something else than 0.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{0}")]
    Usage(String),
    /// What was asked for would harm something.
    #[error("{what}")]
    Refused { what: String, hint: String },
    /// Something that was needed is gone.
    #[error("{what}")]
    Halted { what: String, hint: String },
    /// Everything was said on standard output.
    #[error("what was found needs a hand")]
    Told(ExitStatus),
    #[error(transparent)]
    Cdc(#[from] cdc::Error),
    #[error(transparent)]
    Connector(#[from] connector::Error),
    #[error(transparent)]
    LakeWriter(#[from] lakewriter::Error),
    #[error(transparent)]
    Generator(#[from] generator::Error),
    #[error(transparent)]
    Console(#[from] console::Error),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Failure {
    /// The error with its causes and what to do; empty where that was said.
    pub fn render(&self) -> String {
        match self {
            Self::Told(_) => String::new(),
            Self::Settings(error) => service::render_error(error, None),
            Self::Usage(_) => service::render_error(self, None),
            Self::Refused { hint, .. } | Self::Halted { hint, .. } => {
                service::render_error(self, Some(hint))
            }
            Self::Cdc(error) => service::render_error(error, Some(error.hint())),
            Self::Connector(error) => service::render_error(error, Some(error.hint())),
            Self::LakeWriter(error) => service::render_error(error, Some(error.hint())),
            Self::Generator(error) => service::render_error(error, error.hint()),
            Self::Console(error) => service::render_error(error, error.hint()),
            Self::Other(error) => service::render_error(error.as_ref(), None),
        }
    }

    /// The process exit code.
    pub fn status(&self) -> ExitStatus {
        match self {
            Self::Told(status) => *status,
            Self::Settings(_) | Self::Usage(_) | Self::Refused { .. } | Self::Connector(_) => {
                ExitStatus::Configuration
            }
            Self::Cdc(error) if error.kind() == cdc::ErrorKind::Configuration => {
                ExitStatus::Configuration
            }
            Self::LakeWriter(error) if is_configuration(error) => ExitStatus::Configuration,
            Self::Console(console::Error::OpenLake { source, .. })
                if source.downcast_ref().is_some_and(is_configuration) =>
            {
                ExitStatus::Configuration
            }
            Self::Halted { .. }
            | Self::Cdc(_)
            | Self::LakeWriter(_)
            | Self::Generator(_)
            | Self::Console(_)
            | Self::Other(_) => ExitStatus::Halted,
        }
    }
}

fn is_configuration(error: &lakewriter::Error) -> bool {
    error.kind() == lakewriter::ErrorKind::Configuration
}
