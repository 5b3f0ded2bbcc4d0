use super::Failure;
use crate::settings::{Settings, reference};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print the reference of all settings in Markdown instead
    #[arg(long)]
    reference: bool,
}

pub fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    if arguments.reference {
        print!("{}", reference());
    } else {
        print!("{}", settings.print());
    }
    Ok(())
}
