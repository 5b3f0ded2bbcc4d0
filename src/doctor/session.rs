//! The database: each question by itself, so that what the role may not see is a finding and the rest is answered.

use cdc::source::look::Look;
use connector::ConnectorConfig;

use super::{Patient, Report, publication, server, slot, tables};

pub async fn look(connector: &ConnectorConfig, patient: &Patient, report: &mut Report) {
    let database = &connector.database;
    let place = format!(
        "`{}` on `{}` port {} as `{}`",
        database.dbname, database.hostname, database.port, database.user
    );
    let session = match Look::open(connector).await {
        Ok(session) => session,
        Err(error) => {
            let told = service::render_error(&error, None);
            report.refused(
                "database-unreachable",
                "The database cannot be looked at",
                told.trim_start_matches("error: "),
                error.hint(),
            );
            return;
        }
    };
    report.fact("database", place);
    let role = report.seen(session.role().await);
    let server = report.seen(session.server().await);
    if let Some(server) = &server {
        server::look(server, connector, report);
    }
    if let Some(role) = &role {
        server::rights(role, report);
    }
    let has_walsender = server
        .as_ref()
        .is_none_or(|server| server.used_walsenders < server.max_walsenders);
    let is_allowed = role.as_ref().is_none_or(|role| role.may_replicate);
    if has_walsender && is_allowed {
        server::door(session.may_replicate().await, connector, report);
    }
    if let Some(found) = report.seen(session.slot().await) {
        let measured = match &found {
            None => None,
            Some(_) => slot::measure(&session, patient.measure, report).await,
        };
        slot::look(found.as_ref(), measured, server.as_ref(), connector, report);
    }
    if let Some(holders) = report.seen(session.holders(patient.long_transaction).await) {
        server::holders(&holders, report);
    }
    let captured = report.seen(session.tables().await);
    if let Some(captured) = &captured {
        let foreign = report
            .seen(session.foreign_tables().await)
            .unwrap_or_default();
        tables::look(captured, &foreign, connector, report);
    }
    if let Some(found) = report.seen(session.publication().await) {
        let facts = publication::Around {
            role: role.as_ref(),
            tables: captured.as_deref().unwrap_or_default(),
        };
        publication::look(found.as_ref(), &facts, connector, report);
    }
}
