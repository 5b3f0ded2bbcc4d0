//! `io.debezium.converters.CloudEventsConverter`: what of its settings is there without a transform that sets headers.

use super::reader::Reader;

/// Reads the settings of the converter of cloud events below `prefix`, but for those of its JSON. Answers whether events
/// have the attributes beyond those of every cloud event.
pub(super) fn cloud_events(reader: &mut Reader<'_>, prefix: &str) -> bool {
    let below = |name: &str| format!("{prefix}.{name}");
    for name in ["serializer.type", "data.serializer.type"] {
        reader.choice(&below(name), &[("json", ())]);
    }
    let traced = below("opentelemetry.tracing.attributes.enable");
    if reader.boolean(&traced) {
        reader.problem(
            &traced,
            "no record has a trace context: that needs a transform, which is not available",
        );
    }
    let property = below("metadata.source");
    let named = reader.boolean(&below("schema.data.name.source.header.enable"));
    if let Some(text) = reader.text(&property)
        && let Err(rule) = metadata_source(text, named)
    {
        reader.problem(&property, rule);
    }
    reader.boolean(&below("extension.attributes.enable"))
}

/// `metadata.source`, whose default is `value,id:generate,type:generate,traceparent:header,dataSchemaName:generate`: what
/// comes from elsewhere than the event comes from headers that a transform has put there. `named` says that the name of
/// the data's schema may.
fn metadata_source(text: &str, named: bool) -> Result<(), String> {
    let mut entries = text.split(',').map(str::trim);
    match entries.next() {
        Some("value") => {}
        Some("header") => return Err(of_headers("the source of all metadata")),
        _ => return Err("the first entry must be value or header".to_owned()),
    }
    let (mut id, mut kind) = (false, false);
    for entry in entries {
        match entry.split_once(':') {
            Some(("id", "generate")) => id = true,
            Some(("type", "generate")) => kind = true,
            // Without tracing, and without `schema.data.name.source.header.enable`, these headers are not looked for.
            Some(("traceparent", "generate" | "header") | ("dataSchemaName", "generate")) => {}
            Some(("dataSchemaName", "header")) if !named => {}
            Some((field @ ("id" | "type" | "dataSchemaName"), "header")) => {
                return Err(of_headers(field));
            }
            Some((field @ ("id" | "type" | "traceparent" | "dataSchemaName"), source)) => {
                return Err(format!(
                    "the source of {field} must be generate or header, not {source}"
                ));
            }
            _ => return Err(format!("`{entry}` names no field that can have a source")),
        }
    }
    if id && kind {
        Ok(())
    } else {
        Err("id and type are not in the event: id:generate,type:generate".to_owned())
    }
}

fn of_headers(what: &str) -> String {
    format!("{what} cannot be a header: that needs a transform, which is not available yet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_cloud_events_comes_from_the_event() {
        let default = "value,id:generate,type:generate,traceparent:header,dataSchemaName:generate";
        for (text, named, is_fine) in [
            (default, false, true),
            ("value, id:generate, type:generate", false, true),
            (
                "value,id:generate,type:generate,dataSchemaName:header",
                false,
                true,
            ),
            (
                "value,id:generate,type:generate,dataSchemaName:header",
                true,
                false,
            ),
            ("value", false, false),
            ("value,id:header,type:generate", false, false),
            ("header,id:generate,type:generate", false, false),
            (
                "value,id:generate,type:generate,time:generate",
                false,
                false,
            ),
            ("value,id:value,type:generate", false, false),
            ("generate", false, false),
        ] {
            assert_eq!(metadata_source(text, named).is_ok(), is_fine, "{text}");
        }
    }
}
