//! Single message transforms. What only renames topics is worked out once per table.

mod regex_router;

pub use regex_router::{REGEX_ROUTER, RouterError, regex_router};

use crate::config::TopicRoute;

/// The topic a record goes to after all routers, in order.
pub fn routed_topic(routes: &[TopicRoute], topic: String) -> String {
    routes.iter().fold(topic, |topic, route| {
        let Some(captures) = route.regex.captures(&topic) else {
            return topic;
        };
        let mut routed = String::new();
        captures.expand(&route.replacement, &mut routed);
        routed
    })
}
