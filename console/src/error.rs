use datafusion::error::DataFusionError;

use crate::Unreasonable;

/// Why a query could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("open the lake at `{url}`")]
    OpenLake {
        url: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("register table `{table}` for SQL")]
    Register {
        table: String,
        #[source]
        source: DataFusionError,
    },
    #[error("run the query")]
    Query(#[source] DataFusionError),
    #[error("read the statement")]
    Statement(#[source] Unreasonable),
    #[error("write the result as {format}")]
    Write {
        format: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("read a line from the terminal")]
    Prompt(#[source] rustyline::error::ReadlineError),
}

impl Error {
    /// What the person at the keyboard can do about it.
    pub fn hint(&self) -> Option<&str> {
        match self {
            // A wrong setting has a remedy of its own.
            Self::OpenLake { source, .. } => match source.downcast_ref::<lakewriter::Error>() {
                Some(error) if error.kind() == lakewriter::ErrorKind::Configuration => {
                    Some(error.hint())
                }
                _ => Some("check --lake and the credentials of the object store"),
            },
            Self::Query(error) if is_memory(error) => Some(
                "give the query more memory with --memory-limit (sql.memory_limit), or ask for less at once",
            ),
            Self::Query(_) => {
                Some("`\\d` lists the tables, `\\d public.tweets` the columns of one")
            }
            Self::Statement(_) => Some(
                "ask for it in parts; a long list of values is short as `IN (...)`, and a long chain of OR too",
            ),
            Self::Register { .. } | Self::Write { .. } | Self::Prompt(_) => None,
        }
    }
}

fn is_memory(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::ResourcesExhausted(_))
}
