use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::{Cluster, Postgres, PostgresOptions, launch};
use crate::{free_port, user};

impl Postgres {
    /// A hot standby that streams from this server through the physical slot `slot`, which is made for it. The data is
    /// copied while this server is stopped, so nobody may be connected; further `settings` are the standby's own.
    pub async fn standby(&self, slot: &str, settings: &[(&str, &str)]) -> Result<Self> {
        // from here on this server keeps the WAL that the copy does not have
        let reserve = format!("select pg_create_physical_replication_slot('{slot}', true)");
        self.execute("postgres", &reserve).await?;
        self.stop().await?;
        let folder = tempfile::Builder::new()
            .prefix("tributary-postgres-")
            .tempdir()
            .context("make a folder")?;
        let cluster = Cluster {
            data: folder.path().join("data"),
            home: folder.path().to_owned(),
            port: free_port()?,
            user: self.cluster.user.clone(),
            password: self.cluster.password.clone(),
            version: self.cluster.version,
            locales: self.cluster.locales.clone(),
            account: user::unprivileged()?,
        };
        if let Some(account) = cluster.account {
            account.own(&cluster.home)?;
        }
        copy(&self.cluster.data, &cluster.data).await?;
        self.restart().await?;
        // slots are of the server that made them
        let slots = cluster.data.join("pg_replslot");
        std::fs::remove_dir_all(slots.join(slot)).context("remove the copied slot")?;
        cluster.write("data/standby.signal", "")?;

        let mut options = PostgresOptions {
            version: self.options.version,
            ..PostgresOptions::default()
        };
        let source = format!(
            "host={} port={} user={} dbname=postgres",
            self.cluster.home.display(),
            self.cluster.port,
            self.cluster.user
        );
        let ours = [
            ("primary_conninfo", source.as_str()),
            ("primary_slot_name", slot),
            ("hot_standby_feedback", "on"),
            ("wal_receiver_status_interval", "1s"),
        ];
        let all = ours.iter().chain(settings);
        options.settings = all
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let process = std::sync::Mutex::new(launch(&cluster, &options).await?);
        let standby = Self {
            process,
            cluster,
            options,
            _folder: folder,
        };
        standby.ready().await?;
        Ok(standby)
    }

    /// Makes a standby a server that is written to, on a timeline of its own.
    pub async fn promote(&self) -> Result<()> {
        let rows = self.query("postgres", "select pg_promote()").await?;
        ensure!(
            rows == [[Some("t".to_owned())]],
            "the standby is not promoted: {rows:?}"
        );
        Ok(())
    }
}

/// Copies a folder with its owners and permissions.
async fn copy(from: &Path, to: &Path) -> Result<()> {
    let output = tokio::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .output()
        .await
        .context("run cp")?;
    if !output.status.success() {
        bail!(
            "copy `{}`: {}",
            from.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
