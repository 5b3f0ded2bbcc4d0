//! A topic's id (KIP-516): a topic that was deleted and created again has another one, though its name is the same.
//!
//! rdkafka has no safe face for DescribeTopics yet; this is the smallest one. Every pointer here is made, used and
//! destroyed within [`topic_ids`], which blocks until the broker answers.

use std::{
    collections::HashMap,
    ffi::{CStr, CString},
    os::raw::c_int,
    ptr,
    time::Duration,
};

use rdkafka::{
    bindings as sys,
    client::{Client, ClientContext},
};

use crate::{Error, ErrorKind};

/// The ids of these topics, as Kafka's tools print them (URL-safe base64). Topics that do not exist are left out.
///
/// # Errors
/// `Kafka`: the broker does not answer, or is too old to know (before 2.8).
pub(crate) fn topic_ids<C: ClientContext>(
    client: &Client<C>,
    topics: &[String],
    timeout: Duration,
) -> Result<HashMap<String, String>, Error> {
    let failed = |why: &str| {
        Error::new(
            ErrorKind::Kafka,
            format!("ask for the ids of the topics {topics:?}: {why}"),
        )
    };
    let names: Vec<CString> = topics
        .iter()
        .map(|topic| CString::new(topic.as_str()))
        .collect::<Result<_, _>>()
        .map_err(|error| failed("a name holds a zero byte").with_source(error))?;
    let mut pointers: Vec<*const std::os::raw::c_char> =
        names.iter().map(|name| name.as_ptr()).collect();
    let timeout_ms = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    let mut ids = HashMap::new();

    // SAFETY: `native_ptr` is a live client for as long as `client` is borrowed. The names outlive the call that copies
    // them. Options, collection, queue and event are destroyed once each, after their last use; what the event lends
    // (topics, names, ids, texts) is copied before it is destroyed.
    unsafe {
        let rk = client.native_ptr();
        let collection =
            sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        let options = sys::rd_kafka_AdminOptions_new(
            rk,
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        sys::rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, ptr::null_mut(), 0);
        let queue = sys::rd_kafka_queue_new(rk);
        sys::rd_kafka_DescribeTopics(rk, collection, options, queue);
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_TopicCollection_destroy(collection);
        let event = sys::rd_kafka_queue_poll(queue, timeout_ms.saturating_add(1000));
        sys::rd_kafka_queue_destroy(queue);
        if event.is_null() {
            return Err(failed("no answer"));
        }
        let code = sys::rd_kafka_event_error(event);
        if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            let text = text_of(sys::rd_kafka_event_error_string(event));
            sys::rd_kafka_event_destroy(event);
            return Err(failed(&text));
        }
        let result = sys::rd_kafka_event_DescribeTopics_result(event);
        let mut count = 0_usize;
        let described = sys::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        for index in 0..count {
            let topic = *described.add(index);
            let error = sys::rd_kafka_TopicDescription_error(topic);
            if !error.is_null()
                && sys::rd_kafka_error_code(error)
                    != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
            {
                continue;
            }
            let name = text_of(sys::rd_kafka_TopicDescription_name(topic));
            let id = sys::rd_kafka_TopicDescription_topic_id(topic);
            let id = text_of(sys::rd_kafka_Uuid_base64str(id));
            // Brokers that do not know ids answer with zeros.
            if !id.is_empty() && id.bytes().any(|byte| byte != b'A') {
                ids.insert(name, id);
            }
        }
        sys::rd_kafka_event_destroy(event);
    }
    Ok(ids)
}

/// # Safety
/// `text` is null or a text that ends in a zero byte and lives through the call.
unsafe fn text_of(text: *const std::os::raw::c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}
