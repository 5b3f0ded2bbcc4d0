//! One connector of a worker: its settings, the state that it is to be in, and the task that runs it.
//!
//! At most one task of a connector runs. A change of what it is to run ends the running one first, and waits for that.

use std::{collections::BTreeMap, convert::Infallible, fmt, sync::Arc};

use tokio::{sync::watch, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    state::{TargetState, TaskState},
    task::{TaskContext, run_task},
};
use cdc::{Error, ErrorKind, PipelineStatus, sink::kafka::ActiveTopics, unfinished};
use connector::shown;

/// What the task is to run; every change of it ends the running one first.
#[derive(Clone)]
struct Order {
    properties: BTreeMap<String, String>,
    target: TargetState,
    /// Whether there is a task: a stopped connector has none, nor one that is paused before it ever ran.
    has_task: bool,
    /// Counts restarts, so that an equal order is a new one.
    generation: u64,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("properties", &shown(&self.properties))
            .field("target", &self.target)
            .field("has_task", &self.has_task)
            .field("generation", &self.generation)
            .finish()
    }
}

/// One connector: its settings, and the task that runs it.
#[derive(Debug)]
pub(super) struct Connector {
    order: watch::Sender<Order>,
    task: watch::Receiver<TaskState>,
    pub(super) topics: ActiveTopics,
    pub(super) status: Arc<PipelineStatus>,
    end: CancellationToken,
    runner: JoinHandle<()>,
}

impl Connector {
    pub(super) fn start(
        name: String,
        properties: BTreeMap<String, String>,
        (target, has_task): (TargetState, bool),
        context: TaskContext,
    ) -> Self {
        let (order, orders) = watch::channel(Order {
            properties,
            target,
            has_task: target.has_task(has_task),
            generation: 0,
        });
        let (report, task) = watch::channel(match target {
            TargetState::Started => TaskState::Running,
            TargetState::Paused | TargetState::Stopped => TaskState::Idle,
        });
        let end = CancellationToken::new();
        tokio::spawn(note_topics(name.clone(), context.clone(), end.clone()));
        let runner = tokio::spawn(run_orders(
            name,
            orders,
            report,
            context.clone(),
            end.clone(),
            run_task,
        ));
        Self {
            order,
            task,
            topics: context.topics,
            status: context.status,
            end,
            runner,
        }
    }

    pub(super) fn properties(&self) -> BTreeMap<String, String> {
        self.order.borrow().properties.clone()
    }

    pub(super) fn target(&self) -> TargetState {
        self.order.borrow().target
    }

    pub(super) fn has_task(&self) -> bool {
        self.order.borrow().has_task
    }

    /// A failure is forgotten as soon as something else is wanted.
    pub(super) fn task(&self) -> TaskState {
        let state = self.task.borrow().clone();
        match (state, self.status.trouble()) {
            (TaskState::Running, Some(trace)) => TaskState::Restarting(trace),
            (state, _) => state,
        }
    }

    /// Follow changes of the task's state.
    pub(super) fn watch_task(&self) -> watch::Receiver<TaskState> {
        self.task.clone()
    }

    pub(super) fn set_target(&self, target: TargetState) {
        self.order.send_if_modified(|order| {
            let changed = order.target != target;
            order.target = target;
            order.has_task = target.has_task(order.has_task);
            changed
        });
    }

    pub(super) fn set_properties(&self, properties: BTreeMap<String, String>) {
        self.order.send_if_modified(|order| {
            let changed = order.properties != properties;
            order.properties = properties;
            order.generation += u64::from(changed);
            changed
        });
    }

    pub(super) fn restart(&self) {
        self.order.send_modify(|order| order.generation += 1);
    }

    /// Ask the task to deliver what it has and end; then wait for it.
    pub(super) async fn end(self) {
        self.end.cancel();
        if let Err(error) = self.runner.await {
            tracing::error!(%error, "the task of a connector broke off");
        }
    }
}

/// Write down which topics are written to, so that they are known after a restart.
async fn note_topics(name: String, context: TaskContext, end: CancellationToken) {
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            topics = context.topics.added() => context.states.write_topics(&name, topics).await,
        }
    }
}

/// Write down what a running task waits for before it starts again, and that it runs again.
async fn note_restarts(
    name: &str,
    context: &TaskContext,
    trouble: &mut watch::Receiver<Option<String>>,
) -> Infallible {
    let mut written = None;
    loop {
        if trouble.changed().await.is_err() {
            return std::future::pending().await;
        }
        let trace = trouble.borrow_and_update().clone();
        if trace == written {
            continue;
        }
        let state = match trace {
            Some(_) => "RESTARTING",
            None => "RUNNING",
        };
        let states = &context.states;
        states.write(name, Some(state), trace.as_deref()).await;
        written = trace;
    }
}

/// The remedy of a lost slot as commands for a shell: it stands behind the refusal to go on, and is needed in a hurry.
fn with_commands(error: Error, name: &str, rest_url: &str) -> Error {
    if error.kind() != ErrorKind::SlotLost {
        return error;
    }
    let url = format!("{rest_url}/connectors/{}", service::path_part(name));
    let hint = format!(
        "{}; the position is deleted with: curl -X PUT '{url}/stop' && curl -X DELETE '{url}/offsets' && curl -X PUT '{url}/resume'",
        error.hint()
    );
    error.with_hint(hint)
}

/// Run what is ordered until the end, by `run`: one task at a time, a new one only when the old one has ended.
async fn run_orders<Run, Running>(
    name: String,
    mut orders: watch::Receiver<Order>,
    report: watch::Sender<TaskState>,
    context: TaskContext,
    end: CancellationToken,
    run: Run,
) where
    Run: Fn(BTreeMap<String, String>, TaskContext, CancellationToken) -> Running,
    Running: Future<Output = Result<(), Error>> + Send + 'static,
{
    loop {
        let order = orders.borrow_and_update().clone();
        if order.target == TargetState::Started {
            report.send_replace(TaskState::Running);
            context.states.write(&name, Some("RUNNING"), None).await;
            let stop = end.child_token();
            let mut trouble = context.status.watch_trouble();
            // On a task of its own, so that a panic is an outcome like any other.
            let running = run(order.properties, context.clone(), stop.clone());
            let mut task = AbortOnDropHandle::new(tokio::spawn(running));
            // Another order, once the task has ended; None: it ended by itself.
            let mut reordered = None;
            let outcome = tokio::select! {
                outcome = &mut task => outcome,
                changed = orders.changed() => {
                    stop.cancel();
                    reordered = Some(changed);
                    task.await
                }
                never = note_restarts(&name, &context, &mut trouble) => match never {},
            };
            let outcome = outcome.unwrap_or_else(|error| {
                Err(unfinished(format!("run the task of `{name}`"), error))
            });
            match outcome {
                Err(error) => {
                    let error = with_commands(error, &name, &context.rest_url);
                    let trace = service::render_error(&error, Some(error.hint()));
                    tracing::error!(connector = %name, error = %trace, "the connector failed");
                    context
                        .states
                        .write(&name, Some("FAILED"), Some(&trace))
                        .await;
                    report.send_replace(TaskState::Failed(trace));
                }
                Ok(()) => {
                    report.send_replace(TaskState::Idle);
                }
            }
            match reordered {
                _ if end.is_cancelled() => return,
                Some(Err(_)) => return,
                Some(Ok(())) => continue,
                None => {}
            }
        } else {
            report.send_replace(TaskState::Idle);
            let state = order.target.as_connect();
            context.states.write(&name, Some(state), None).await;
        }
        tokio::select! {
            () = end.cancelled() => return,
            changed = orders.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{config_topic::TopicWriter, status_topic::StatusWriter};
    use cdc::kafka::KafkaClient;
    use connector::Providers;

    #[tokio::test]
    async fn a_task_that_panics_has_failed_and_can_be_restarted() {
        let kafka = KafkaClient::new("nowhere:9092", &BTreeMap::new()).unwrap();
        let context = TaskContext {
            states: StatusWriter {
                writer: TopicWriter::new(kafka.clone()),
                // There is no such topic: states are not written, and nobody waits for that.
                topic: String::new(),
                worker_id: "w".to_owned(),
            },
            kafka,
            offset_topic: "o".to_owned(),
            creates_topics: false,
            converter_defaults: Arc::default(),
            providers: Arc::new(Providers::default()),
            topics: ActiveTopics::default(),
            status: Arc::default(),
            rest_url: "http://w".to_owned(),
        };
        let (order, orders) = watch::channel(Order {
            properties: BTreeMap::new(),
            target: TargetState::Started,
            has_task: true,
            generation: 0,
        });
        let (report, mut task) = watch::channel(TaskState::Running);
        let end = CancellationToken::new();
        let runs = AtomicUsize::new(0);
        let panics = move |_, _, _| {
            let run = runs.fetch_add(1, Ordering::Relaxed);
            async move { panic!("run {run}: the row is not where it was") }
        };
        let (of_it, name) = (end.clone(), "c".to_owned());
        let runner = tokio::spawn(run_orders(name, orders, report, context, of_it, panics));
        for run in ["run 0: the row is not", "run 1: the row is not"] {
            let failed = task.wait_for(|state| match state {
                TaskState::Failed(trace) => trace.contains(run) && trace.contains("report it"),
                TaskState::Idle | TaskState::Running | TaskState::Restarting(_) => false,
            });
            drop(failed.await.unwrap());
            order.send_modify(|order| order.generation += 1);
        }
        end.cancel();
        runner.await.unwrap();
    }

    #[test]
    fn the_remedy_of_a_lost_slot_is_a_command() {
        let lost = |kind| Error::new(kind, "use replication slot `s`").with_hint("start again");
        let told = with_commands(
            lost(ErrorKind::SlotLost),
            "my shop",
            "http://127.0.0.1:8083",
        );
        let url = "http://127.0.0.1:8083/connectors/my%20shop";
        for part in [
            "start again; ".to_owned(),
            format!("curl -X PUT '{url}/stop' && curl -X DELETE '{url}/offsets'"),
        ] {
            assert!(told.hint().contains(&part), "{}", told.hint());
        }
        let other = with_commands(lost(ErrorKind::Configuration), "x", "http://r");
        assert_eq!(other.hint(), "start again");
    }
}
