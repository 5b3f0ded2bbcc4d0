//! The name of a mirror's slot and publication.
//!
//! Invariant: it is the lake's, not its address's. A lake that a mirror has begun says the name itself, and whoever begins
//! one puts the name into it before anything of that name is made. Mirrors into different lakes never share a slot.

use cdc::source::slot_exists;
use connector::ConnectorConfig;
use lakewriter::{
    LakeConfig,
    lake::{name_slot, reader_of_lake},
};

use super::{hint::of_a_mirror, sink::resume};
use crate::failure::Failure;

/// How the slot is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotName {
    /// Somebody said it.
    Given(String),
    /// The lake says it, or gets this one, with a number behind it where somebody else has a slot of that name.
    OfLake { proposed: String },
}

impl SlotName {
    /// The name that stands, or would stand if nobody else had it.
    pub fn text(&self) -> &str {
        match self {
            Self::Given(name) => name,
            Self::OfLake { proposed } => proposed,
        }
    }

    /// The name as the lake has it. Nothing is made.
    ///
    /// # Errors
    /// The lake cannot be read.
    pub async fn of(self, lake: &LakeConfig, pipeline: &str) -> Result<Found, Failure> {
        let told = reader_of_lake(lake, pipeline).await?;
        // Who named another slot meanwhile has a position that was read from it.
        let read_from = told.position.as_ref().and_then(|at| resume(at).slot);
        let is_put = told.slot.is_some() || read_from.is_some();
        let of_lake = read_from.map(|slot| slot.name).or(told.slot);
        Ok(match (self, of_lake) {
            (Self::Given(name), _) | (Self::OfLake { .. }, Some(name)) => Found {
                name,
                is_new: false,
                is_put,
            },
            (Self::OfLake { proposed }, None) => Found {
                name: proposed,
                is_new: true,
                is_put,
            },
        })
    }
}

/// A name, and what is still to be done for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    name: String,
    /// Neither the lake nor anybody knew one: a slot that has the name is another lake's.
    is_new: bool,
    /// The lake has one.
    is_put: bool,
}

impl Found {
    pub fn give_to(&self, connector: &mut ConnectorConfig) {
        connector.name.clone_from(&self.name);
        connector.slot_name.clone_from(&self.name);
        connector.publication_name.clone_from(&self.name);
        connector.spill_folder =
            std::env::temp_dir().join(format!("tributary-mirror-{}", self.name));
    }

    /// Take another name as long as another lake's slot has it.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub async fn avoid_others(&mut self, connector: &mut ConnectorConfig) -> Result<(), Failure> {
        if !self.is_new {
            return Ok(());
        }
        let first = self.name.clone();
        let mut number = 1;
        while slot_exists(connector).await.map_err(of_a_mirror)? {
            number += 1;
            self.name = format!("{first}_{number}");
            self.give_to(connector);
        }
        if number > 1 {
            tracing::warn!(
                slot = %first,
                instead = %self.name,
                "a slot of another lake has the name that this one would have: a lake that was moved away from here, or one in the same folder of another machine. If its lake is given up, drop it, or it keeps WAL: select pg_drop_replication_slot('{first}')"
            );
        }
        Ok(())
    }

    /// Put it into the lake, before anything of that name is made.
    ///
    /// # Errors
    /// The lake cannot be written, or somebody else began at the same time.
    pub async fn name_in(&self, lake: &LakeConfig, pipeline: &str) -> Result<(), Failure> {
        if self.is_put {
            return Ok(());
        }
        let stands = name_slot(lake, pipeline, &self.name).await?;
        if self.is_new && stands != self.name {
            return Err(Failure::Halted {
                what: format!(
                    "begin a mirror into the lake at {}: another one began at the same time, with the slot `{stands}`",
                    lake.place()
                ),
                hint: "let that one run, or start again when it has ended".to_owned(),
            });
        }
        Ok(())
    }
}
