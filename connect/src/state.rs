//! What is wanted of a connector, and what its task does.

/// What the operator wants of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetState {
    #[default]
    Started,
    Paused,
    Stopped,
}

impl TargetState {
    /// Kafka Connect's word.
    pub const fn as_connect(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }

    /// Whether there is a task in this state, which there was before or not.
    pub(crate) const fn has_task(self, before: bool) -> bool {
        match self {
            Self::Started => true,
            Self::Paused => before,
            Self::Stopped => false,
        }
    }

    pub fn from_connect(word: &str) -> Option<Self> {
        Some(match word {
            "STARTED" | "RUNNING" => Self::Started,
            "PAUSED" => Self::Paused,
            "STOPPED" => Self::Stopped,
            _ => return None,
        })
    }
}

/// What a connector's task does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TaskState {
    /// Not running: paused or stopped.
    #[default]
    Idle,
    Running,
    /// A life of it ended by this error, and the next one has not got so far as to read anything.
    Restarting(String),
    /// Halted; the whole chain of the error, and what to do.
    Failed(String),
}

/// The state of a task in Kafka Connect's words.
pub(crate) fn state_word(target: TargetState, task: &TaskState) -> &'static str {
    match (target, task) {
        (TargetState::Stopped, _) => "STOPPED",
        (TargetState::Paused, _) => "PAUSED",
        (TargetState::Started, TaskState::Failed(_)) => "FAILED",
        (TargetState::Started, TaskState::Restarting(_)) => "RESTARTING",
        (TargetState::Started, TaskState::Running | TaskState::Idle) => "RUNNING",
    }
}
